"""Several trackers as one: what a run reports goes to all of them, and none of them can stop it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import final

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import make_component
from experiments.trackers.core.tracker import DocumentTracker, TrackedRun, Tracker
from experiments.trackers.core.wandb_login import is_logged_in, wandb_mode

log = logging.getLogger("gans")


def check_trackers(names: Sequence[str]) -> None:
    """Checks that trackers exist, and that their packages are installed; raises UsageError otherwise."""
    for name in tracker_names(names):
        for package, remedy in _load(name).requires.items():
            if find_spec(package) is None:
                raise UsageError(f"tracker {name} needs the package {package}; get it with: {remedy}")


def open_trackers(names: Sequence[str], run: TrackedRun, options: SettingValues | None = None) -> Tracker:
    """Opens the local tracker and those that are asked for, as one.

    The local one's failure is the run's. Any other that raises, when it is built or later, is left out with
    one line in the log.

    Args:
        names: the words after `--track`. `auto` stands for wandb where the user is logged in; `local` adds
            nothing, because the local one is always on.
        run: description of the run for the trackers.
        options: options of the trackers, by key (`wandb.finish_seconds`).
    """
    local = _load("local")(run)
    return TrackerGroup(
        [local], [_FaultTolerantTracker(name, run, options or {}) for name in tracker_names(names)]
    )


def trackers_of_run(names: Sequence[str], folder: Path) -> list[str]:
    """Names of the trackers beside the local one that have tracked the run in this folder.

    Each of them left a folder of its own name there.
    """
    return [name for name in tracker_names(names) if (folder / name).is_dir()]


def reopen_trackers(
    names: Sequence[str], run: TrackedRun, options: SettingValues | None = None
) -> "TrackerGroup":
    """Reopens the trackers that have tracked the run, as one, to report something later."""
    return TrackerGroup(
        [], [_FaultTolerantTracker(name, run, options or {}) for name in trackers_of_run(names, run.folder)]
    )


def tracker_names(names: Sequence[str]) -> list[str]:
    """Names of the trackers beside the local one, from the words of `--track`, where `auto` may mean W&B."""
    automatic = ["wandb"] if is_logged_in() and wandb_mode() != "disabled" else []
    found = [other for name in names for other in (automatic if name == "auto" else [name])]
    return [name for name in dict.fromkeys(found) if name != "local"]


def _load(name: str) -> type[Tracker]:
    """Loads a tracker class. Raises UsageError for an unknown name."""
    try:
        tracker: type[Tracker] = registry.load("tracker", name)
    except UsageError:
        # The catalogue does not know that `auto` may stand here too.
        raise registry.unknown_name_error("tracker", name, ["auto", *registry.names("tracker")]) from None
    return tracker


@final
class TrackerGroup(DocumentTracker):
    """Several trackers as one; the guarded ones may fail."""

    def __init__(self, own: Sequence[Tracker], others: Sequence["_FaultTolerantTracker"]) -> None:
        self._own, self._others = own, others

    def scores(self, scores: Mapping[str, float]) -> None:
        self._do(lambda tracker: tracker.scores(scores))

    def images(self, name: str, file: Path, kimg: float) -> None:
        self._do(lambda tracker: tracker.images(name, file, kimg))

    def document(self, name: str, file: Path) -> None:
        self.give_document(name, file)

    def give_document(self, name: str, file: Path) -> int:
        """Gives a document to the trackers that keep some; returns how many have taken it."""
        taken = []

        def give(tracker: Tracker) -> None:
            if isinstance(tracker, DocumentTracker):
                tracker.document(name, file)
                taken.append(tracker)

        self._do(give)
        return len(taken)

    def close(self, exit_status: int = 0) -> None:
        for other in self._others:
            other.close(exit_status)
        for tracker in self._own:
            tracker.close(exit_status)

    def _do(self, action: Callable[[Tracker], None]) -> None:
        for tracker in self._own:
            action(tracker)
        for other in self._others:
            other.do(action)


@final
class _FaultTolerantTracker:
    """A tracker that is left out, with one warning, once it has failed."""

    def __init__(self, name: str, run: TrackedRun, options: SettingValues) -> None:
        self._name = name
        self._tracker: Tracker | None = None
        try:
            self._tracker = make_component("tracker", name, name, options, run)
        except Exception as error:
            self._warn(error)

    def do(self, action: Callable[[Tracker], None]) -> None:
        """Does something with the tracker, and drops the tracker if it fails."""
        if self._tracker is None:
            return
        try:
            action(self._tracker)
        except Exception as error:
            failed, self._tracker = self._tracker, None
            self._warn(error)
            # It may hold files, threads or processes. What it has to say about that was said above.
            with suppress(Exception):
                failed.close(exit_status=1)

    def close(self, exit_status: int) -> None:
        """Closes the tracker, if it has not failed."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            try:
                tracker.close(exit_status)
            except Exception as error:
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        log.warning(f"tracker {self._name}: {reason}; the run goes on without it")
