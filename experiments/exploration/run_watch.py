"""Watch over the folder of a run: its state, its moments, its curves and scores, as they come."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from experiments.analysis.page.curves import curves_of
from experiments.core.errors import RunError, UsageError
from experiments.exploration.moments import Moment, list_moments, run_folder_of
from experiments.runs.folder import RunFolder
from experiments.runs.score_lines import GrowingScores
from experiments.runs.scores import NUMBER, format_scores, is_of_class, read_evaluation_scores

TERMS = ("critic/adversarial", "generator/adversarial")  # losses that are drawn beside the scores
REREAD_SECONDS = 10.0  # after which a run is read though no file has changed: it may have been killed
Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class RunStatus:
    """State of a run at a time.

    Attributes:
        words: state, step and kimg in a line.
        moments: generators that its folder has.
        curves: points (kimg, value) by name: evaluation scores, then losses.
        evaluations: step and scores, a line each, of every evaluation in the order of steps.
        message: why there is nothing to see; empty where there is.
        is_running: whether a process trains it.
    """

    words: str = ""
    moments: Sequence[Moment] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)
    evaluations: Sequence[tuple[int, Sequence[str]]] = ()
    message: str = ""
    is_running: bool = False

    def scores_at(self, step: int | None) -> list[str]:
        """Scores of the last evaluation up to a step, or of all, and its step: a line each."""
        taken = [each for each in self.evaluations if step is None or each[0] <= step]
        return [*taken[-1][1], f"at step {taken[-1][0]:,}"] if taken else []


class RunWatch:
    """Reads what is new in a run folder, or of the run of a checkpoint, with each call.

    Args:
        path: a run folder, a checkpoint or an exported file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, run_folder_of(path)
        self._scores = None if self.folder is None else GrowingScores(self.folder.scores_file)
        self._status, self._read_at = RunStatus(), -REREAD_SECONDS
        self._seen: tuple[int, ...] = ()
        self._lock = Lock()

    def poll(self) -> RunStatus:
        """The state of the run, read anew when its files have changed, and now and then; for any thread."""
        with self._lock:
            seen, now = self._fingerprint(), time.monotonic()
            if seen != self._seen or now - self._read_at > REREAD_SECONDS:
                self._status, self._seen, self._read_at = self.read(), seen, now
            return self._status

    def read(self) -> RunStatus:
        """Reads the state of the run; of a folder that is gone or cannot be read, a message."""
        if not self.path.exists():
            return RunStatus(message=f"{self.path} is gone: it was moved or deleted while this page was open")
        try:
            return self._read()
        except (UsageError, RunError, OSError) as error:
            return RunStatus(message=str(error))

    def _fingerprint(self) -> tuple[int, ...]:
        """Times of change of what is read."""
        folder = RunFolder(self.path) if self.folder is None else self.folder
        files = (
            *(self.path, folder.scores_file, folder.evaluation_file, folder.generator_file),
            *(folder.checkpoints().folder, folder.best.folder, folder.ended_file),
        )
        return tuple(map(_changed_at, files))

    def _read(self) -> RunStatus:
        lines = [] if self._scores is None else self._scores.read()
        moments = list_moments(self.path, lines)
        if self.folder is None:
            return RunStatus("exported generator", moments)
        words = self.folder.state
        is_running = words == "running"
        if lines:
            words += f" · step {lines[-1]['step']:,} · {lines[-1].get('kimg') or 0:,.4g} kimg"
        message = "" if moments else f"{self.path} has no checkpoint yet; this page waits for its first"
        return RunStatus(words, moments, read_curves(lines), self._evaluations(), message, is_running)

    def _evaluations(self) -> list[tuple[int, list[str]]]:
        """Steps of the evaluations of the run with their scores; of several at a step, the last."""
        assert self.folder is not None
        found = dict(read_evaluation_scores(self.folder))
        return [(step, format_scores(found[step])) for step in sorted(found)]


def _changed_at(file: Path) -> int:
    """Time of change of a file in nanoseconds; 0 of what is not there, or was deleted a moment ago."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def read_curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    """Curves in lines of scores, of points (kimg, value) by name: evaluation scores first, then losses.

    Points are in the order of kimg; values that are not finite, as of a loss that diverged, are left out.
    """
    drawn = {
        name: list(zip(*curve, strict=True))
        for name, curve in curves_of(lines).items()
        if name in TERMS or (name.startswith(NUMBER) and not is_of_class(name))
    }
    return {name: drawn[name] for name in sorted(drawn, key=lambda name: (not name.startswith(NUMBER), name))}
