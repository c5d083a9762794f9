"""The run folder's own tracker, always on: one JSON object a line in scores.jsonl."""

import json
from collections.abc import Mapping
from pathlib import Path

from experiments.trackers.core.tracker import TrackedRun, Tracker


class LocalTracker(Tracker):
    """Appends whole lines to scores.jsonl; a line torn by a kill is dropped when the run resumes."""

    def __init__(self, run: TrackedRun) -> None:
        self._path = run.folder / "scores.jsonl"
        self._file = self._path.open("a", encoding="utf-8")

    def scores(self, scores: Mapping[str, float]) -> None:
        try:
            self._file.write(json.dumps(dict(scores)) + "\n")
            self._file.flush()
        except OSError as error:
            error.filename = str(self._path)  # an error of write() does not name the file by itself
            raise

    def images(self, name: str, file: Path, kimg: float) -> None:
        """Does nothing: the file is already where it belongs."""

    def close(self, exit_status: int = 0) -> None:
        self._file.close()
