"""The contract of trackers, which receive scores and pictures of runs; several work at once."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from experiments.core.named_values import JsonObject, SettingValues

log = logging.getLogger("gans")
PROVENANCE = "evaluation/"  # what the names of the provenance of scores begin with


def _no_provenance(scores: Mapping[str, float]) -> JsonObject:
    """No provenance of scores."""
    return {}


def _no_lines() -> Iterable[Mapping[str, float]]:
    """No lines of scores."""
    return ()


def _no_pictures() -> Iterable[tuple[str, Path, float]]:
    """No pictures."""
    return ()


@dataclass(frozen=True)
class TrackedRun:
    """Description of a run for its trackers.

    Attributes:
        folder: the run folder; whatever a tracker writes stays inside it.
        settings: every resolved setting, as JSON knows values.
        step: the step at which this process goes on; 0 for a new run. Scores after it, from a process that
            was killed, are written again.
        kimg: the images shown until then.
        project: name of the project that gathers runs.
        group: name of the group of runs that this one is compared with; None for no group.
        tags: words to find it by.
        provenance: provenance of the evaluation scores in a line, by flat names (`evaluation/fid/extractor`);
            nothing for a line without such scores.
        earlier_scores: lines of scores up to `step` that the run folder holds, for a tracker whose own files
            may have lost some when the process was killed.
        earlier_pictures: pictures up to `step` that the run folder holds, as `images` takes them.
    """

    folder: Path
    settings: SettingValues = field(default_factory=dict)
    step: int = 0
    kimg: float = 0.0
    project: str = "gans"
    group: str | None = None
    tags: tuple[str, ...] = ()
    provenance: Callable[[Mapping[str, float]], JsonObject] = _no_provenance
    earlier_scores: Callable[[], Iterable[Mapping[str, float]]] = _no_lines
    earlier_pictures: Callable[[], Iterable[tuple[str, Path, float]]] = _no_pictures

    def say(self, line: str) -> None:
        """Tells the user something in one line; a tracker never prints."""
        log.info(line)


class Tracker(ABC):
    """Receives the scores and pictures of a run. Built when the run starts: `Tracker(run)`, or
    `Tracker(run, options)` where it has options.

    Any but the local one may fail (a full disk, a lost network): it is then left out with one warning, and
    the run goes on.

    Attributes:
        requires: packages that it imports and that gans does not bring, each with the command that installs
            it. A run that asks for the tracker without them is refused before it begins.
    """

    requires: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def __init__(self, run: TrackedRun) -> None: ...

    @abstractmethod
    def scores(self, scores: Mapping[str, float]) -> None:
        """Receives scalars of one moment, with `step` and `kimg` among them."""

    @abstractmethod
    def images(self, name: str, file: Path, kimg: float) -> None:
        """Receives a picture that was written to `file`."""

    @abstractmethod
    def close(self, exit_status: int = 0) -> None:
        """Closes the tracker: nothing more will come. Returns in bounded time.

        Args:
            exit_status: the command's: 0 the run is finished, 1 it failed, 130 it was stopped.
        """


class DocumentTracker(Tracker):
    """Tracker that keeps documents beside a run, too, such as the report of a comparison."""

    @abstractmethod
    def document(self, name: str, file: Path) -> None:
        """Receives a document of HTML that was written to `file`."""
