"""Logging of scores and gradient norms, and the check that every score is finite."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from experiments.core.errors import RunError
from experiments.core.named_values import StateDict
from experiments.trackers.core.tracker import Tracker
from experiments.training.callbacks import Progress
from gans.core.player import Player, Scores


class NotFiniteError(RunError):
    """Error for a score or a weight that is not finite."""


def not_finite_error(step: int, name: str) -> NotFiniteError:
    """Error for a score or weight that is not finite: names the step, the score and the remedy."""
    weight = "lower" if name.endswith("gradient_penalty") else "raise"
    return NotFiniteError(
        f"step {step}: {name} is not finite, so training stopped without saving it; "
        f"lower the learning rates or {weight} --penalty-weight"
    )


class MetricLogger:
    """Logs the mean scores of every 25 steps, and stops training where a score is not finite.

    Scores stay on the device until a line is due, so that a step does not wait for the one before.

    Args:
        tracker: takes the lines.
        show: shows a line.
        waited: seconds for which training has waited for data so far; None where it never does.
    """

    def __init__(
        self,
        tracker: Tracker,
        show: Callable[[dict[str, float]], None],
        waited: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.tracker = tracker
        self.show = show
        self.waited = waited
        self.pending: list[Scores] = []
        self.line: dict[str, float] = {}  # the last line of scores
        self.seconds = 0.0
        self._images = 0
        self._rested = 0.0
        self._waited = waited() or 0.0
        self._clock = time.monotonic()

    def __call__(self, progress: Progress, scores: Scores) -> None:
        self.pending.append(scores)
        self._images += progress.seen - progress.previous_seen
        if progress.ends_line:
            self.end_line(progress)

    def check(self, step: int) -> dict[str, Tensor]:
        """Checks that the pending scores are finite; returns them, name → `(n,)`.

        Raises RunError that names the first step and score that is not finite. `step` is that of the
        last pending scores.
        """
        names = list(dict.fromkeys(name for scores in self.pending for name in scores))
        first = step - len(self.pending) + 1
        stacked = {n: _stack([s[n] for s in self.pending if n in s]) for n in names}
        steps = {n: [first + i for i, s in enumerate(self.pending) if n in s] for n in names}
        broken = [
            (steps[n][int((~v.isfinite()).nonzero()[0])], n)
            for n, v in stacked.items()
            if not v.isfinite().all()
        ]
        if broken:
            at, name = min(broken)
            raise not_finite_error(at, name)
        return stacked

    def end_line(self, progress: Progress) -> None:
        """Logs a line of scores: means since the line before, time and speed."""
        means = {name: values.mean().item() for name, values in self.check(progress.step).items()}
        elapsed, self._rested = self._advance_clock() - self._rested, 0.0
        self.line = line = {
            "step": progress.step,
            "kimg": progress.kimg,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self._images / max(elapsed, 1e-9), 1),
            **self._waiting(elapsed),
            **means,
        }
        self.tracker.scores(line)
        self.show(line)
        self.pending.clear()
        self._images = 0

    def _waiting(self, elapsed: float) -> dict[str, float]:
        """The share of the time since the line before for which data was waited for, if it ever is."""
        waited = self.waited()
        if waited is None:
            return {}
        share, self._waited = (waited - self._waited) / max(elapsed, 1e-9), waited
        return {"waiting_for_data": round(share, 5)}

    @contextmanager
    def paused_clock(self) -> Iterator[None]:
        """Context for work that is no training, such as an evaluation.

        Its time counts for the seconds, but not for the images per second.
        """
        began = time.monotonic()
        yield
        self._rested += time.monotonic() - began

    def _advance_clock(self) -> float:
        """Adds the time since the last call to the seconds; returns it."""
        now = time.monotonic()
        elapsed, self._clock = now - self._clock, now
        self.seconds += elapsed
        return elapsed

    def state_dict(self) -> StateDict:
        """Pending scores, and seconds of training so far."""
        return {"pending": self.pending, "seconds": self.seconds + time.monotonic() - self._clock}

    def load_state_dict(self, state: StateDict) -> None:
        """Restores what `state_dict` has returned, from a checkpoint."""
        check_pending(state)
        self.pending = list(state["pending"])
        self.seconds = state["seconds"]
        self._clock = time.monotonic()


def check_pending(state: StateDict) -> None:
    """Checks the state of a metric logger in a checkpoint. Raises ValueError, KeyError or TypeError."""
    if not 0 <= float(state["seconds"]) < math.inf:
        raise ValueError("these are no seconds")
    for scores in state["pending"]:
        for name, value in scores.items():
            if not (isinstance(name, str) and isinstance(value, Tensor) and value.shape == ()):
                raise ValueError("these are no scores")


class GradientNorms:
    """Adds the norm of every player's gradient over its weights to the scores of steps that end a line.

    Gradients are there until their player moves again, so that other steps pay nothing. It goes before the
    metric logger.
    """

    def __init__(self, players: Sequence[Player]) -> None:
        self.players = players

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if progress.ends_line:
            for player in self.players:
                scores[f"{player.name}/weight_gradient_norm"] = player.gradient_norm()


def _stack(values: Sequence[Tensor]) -> Tensor:
    """Stacks scalars to float32 `(n,)` on the CPU, in one transfer; some may be on the CPU already."""
    return torch.stack([value.to(values[-1].device, torch.float32) for value in values]).cpu()
