"""Patience of a run: how many evaluations in a row have not improved on the best (`--patience K`)."""

import json
from dataclasses import dataclass, field
from typing import Any

from experiments.core.files import parse_json
from experiments.core.named_values import StateDict
from experiments.core.settings import Settings


@dataclass
class Patience:
    """Count of evaluations without improvement, which ends the run early when it reaches K.

    It is in the checkpoint, and moves at evaluations alone, so that a resumed run ends at the same step. What
    others score in between, in the run folder, does not count.

    Attributes:
        evaluations: K; None for endless patience.
        length: steps and kimg of the run; what was asked to be longer begins to count anew.
        stale: evaluations in a row that were no better than the best.
        step: step of the last evaluation.
        best_step: step of the best.
        best: its scores, by which the others are judged; empty before the first.
    """

    evaluations: int | None
    length: tuple[int | None, float | None]
    stale: int = 0
    step: int = 0
    best_step: int = 0
    best: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether the run is to end after the step of the last evaluation."""
        return self.evaluations is not None and self.stale >= self.evaluations

    def observe(self, step: int, scores: dict[str, dict[str, Any]], is_better: bool) -> None:
        """Counts an evaluation.

        Args:
            scores: those that decide, with their records.
            is_better: whether they beat the best so far, or cannot be compared with it.
        """
        self.step, self.stale = step, 0 if is_better else self.stale + 1
        if is_better:
            self.best_step, self.best = step, scores

    def state_dict(self) -> StateDict:
        """State that the next evaluation depends on; empty for endless patience."""
        if self.evaluations is None:
            return {}
        numbers = {name: getattr(self, name) for name in ("stale", "step", "best_step")}
        # Checkpoints hold tensors and plain values only; some in records are neither, but look like words.
        return {**numbers, "best": json.dumps(self.best), "length": list(self.length)}

    def load_state_dict(self, state: StateDict) -> None:
        """Restores what `state_dict` has returned; nothing, of a run without patience, begins anew."""
        is_same = state.get("length") == list(self.length)
        self.stale = int(state.get("stale", 0)) if is_same else 0
        self.step, self.best_step = int(state.get("step", 0)), int(state.get("best_step", 0))
        self.best = parse_json(state.get("best", "{}"))


def patience_of(settings: Settings) -> Patience:
    """The patience of a run that begins."""
    return Patience(settings.patience, (settings.steps, settings.kimg))
