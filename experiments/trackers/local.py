"""The run folder's own tracker, always on: one JSON object a line in scores.jsonl."""

import json
from collections.abc import Mapping
from pathlib import Path

from experiments.core.files import TO_APPEND, append_line, open_regular_file
from experiments.trackers.core.tracker import TrackedRun, Tracker


class LocalTracker(Tracker):
    """Appends whole lines to scores.jsonl; a line torn by a kill is dropped when the run resumes."""

    def __init__(self, run: TrackedRun) -> None:
        self._path = run.folder / "scores.jsonl"
        open_regular_file(self._path, TO_APPEND).close()  # what cannot be written is told at the beginning

    def scores(self, scores: Mapping[str, float]) -> None:
        append_line(self._path, json.dumps(dict(scores)))

    def images(self, name: str, file: Path, kimg: float) -> None:
        """Does nothing: the file is already where it belongs."""

    def close(self, exit_status: int = 0) -> None:
        """Does nothing: every line is written at once."""
