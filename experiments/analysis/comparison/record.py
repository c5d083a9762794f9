"""Record of an experiment, finished or running, from a run folder or a W&B project."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.core.named_values import JsonObject
from experiments.runs.scores import EvaluationScores


@dataclass(frozen=True)
class Record:
    """Record of one experiment: its settings, scores and state.

    Attributes:
        name: path of the run folder, or name of the W&B run.
        settings: every setting by its name.
        environment: versions and machine, as far as they are known.
        lines: lines of scores, in the order of steps.
        evaluations: pairs of kimg and scores with their provenance, in the order of steps.
        folder: the run folder; None where the record was read from elsewhere.
        state: "finished", "running", "unfinished", "failed: …" or "stopped early: …".
    """

    name: str
    settings: JsonObject
    environment: JsonObject
    lines: Sequence[JsonObject]
    evaluations: Sequence[tuple[float | None, EvaluationScores]]
    folder: Path | None
    state: str
