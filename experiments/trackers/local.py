"""The run folder's own tracker, always on: one JSON object a line in scores.jsonl."""

import json
from collections.abc import Mapping
from pathlib import Path

from experiments.trackers import TrackedRun, Tracker


class LocalTracker(Tracker):
    """Appends whole lines; a line torn by a kill is dropped when the run resumes."""

    def __init__(self, run: TrackedRun) -> None:
        self._file = (run.folder / "scores.jsonl").open("a", encoding="utf-8")

    def scores(self, scores: Mapping[str, float]) -> None:
        self._file.write(json.dumps(dict(scores)) + "\n")
        self._file.flush()

    def images(self, name: str, file: Path, kimg: float) -> None:
        """The file is already where it belongs."""

    def close(self) -> None:
        self._file.close()
