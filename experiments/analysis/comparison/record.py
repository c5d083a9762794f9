"""What is compared: finished or running experiments, wherever they were written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.runs.scores import EvaluationScores


@dataclass(frozen=True)
class Record:
    """One experiment.

    Attributes:
        name: how the user knows it; a run folder's path, or a W&B run's.
        settings: every setting by its name.
        environment: versions and machine, as far as they are known.
        lines: of scores, in the order of steps.
        evaluations: kimg, and scores with their provenance, in the order of steps.
        folder: where its files are; None where it was read from elsewhere.
        state: "finished", "running", "unfinished", "failed: …" or "stopped early: …".
    """

    name: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    evaluations: Sequence[tuple[float | None, EvaluationScores]]
    folder: Path | None
    state: str
