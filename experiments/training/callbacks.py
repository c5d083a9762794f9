"""Time-driven chores of a run: scores and their guard, sample grids, checkpoints.

A watcher is called after every step with the moment and the step's scores. None of them touches the
mathematics.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.core.diversity import pairwise_distance
from experiments.core.errors import RunError
from experiments.core.images import picture_of, save_png
from experiments.runs.checkpoint import Checkpoints
from experiments.runs.generator import from_noise
from experiments.trackers.core.tracker import Tracker
from experiments.training.experiment import Experiment
from experiments.training.sample_grids import SamplePicture, Samples, Translations
from gans.core.player import Player, Scores
from gans.core.translation import Translator

SCORE_STEPS = 25  # between score lines: one synchronization with the device each


@dataclass(frozen=True)
class Progress:
    """When a watcher is called: after round `step`, with `seen` images shown since the start."""

    step: int
    seen: int
    previous_seen: int
    is_last: bool

    @property
    def kimg(self) -> float:
        return self.seen / 1000

    def passes(self, interval: int) -> bool:
        """Whether this step crossed a multiple of `interval` images, or is the last."""
        return self.is_last or self.seen // interval > self.previous_seen // interval

    @property
    def ends_line(self) -> bool:
        """Whether a line of scores is written after this step."""
        return self.step == 1 or self.step % SCORE_STEPS == 0 or self.is_last


Callback = Callable[[Progress, Scores], None]


class NotFiniteError(RunError):
    """A score or a weight is not finite."""


def not_finite(step: int, name: str) -> NotFiniteError:
    weight = "lower" if name.endswith("gradient_penalty") else "raise"
    return NotFiniteError(
        f"step {step}: {name} is not finite, so training stopped without saving it; "
        f"lower the learning rates or {weight} --penalty-weight"
    )


class MetricLogger:
    """Means of the scores between two lines, and the guard that stops on a non-finite one.

    Scores stay on the device until a line is due, so that a step does not wait for the one before.
    """

    def __init__(self, tracker: Tracker, show: Callable[[dict[str, float]], None]) -> None:
        self.tracker = tracker
        self.show = show
        self.pending: list[Scores] = []
        self.line: dict[str, float] = {}  # the last
        self.seconds = 0.0
        self._images = 0
        self._rested = 0.0
        self._clock = time.monotonic()

    def __call__(self, progress: Progress, scores: Scores) -> None:
        self.pending.append(scores)
        self._images += progress.seen - progress.previous_seen
        if progress.ends_line:
            self._line(progress)

    def check(self, step: int) -> dict[str, Tensor]:
        """The pending scores, name → `(n,)`. Raises RunError that names the first step and term that is
        not finite. `step` is that of the last pending scores."""
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
            raise not_finite(at, name)
        return stacked

    def _line(self, progress: Progress) -> None:
        means = {name: values.mean().item() for name, values in self.check(progress.step).items()}
        elapsed, self._rested = self._advance_clock() - self._rested, 0.0
        self.line = line = {
            "step": progress.step,
            "kimg": progress.kimg,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self._images / max(elapsed, 1e-9), 1),
            **means,
        }
        self.tracker.scores(line)
        self.show(line)
        self.pending.clear()
        self._images = 0

    @contextmanager
    def resting(self) -> Iterator[None]:
        """What happens within is no training: it counts for the seconds, but not for the images a second."""
        began = time.monotonic()
        yield
        self._rested += time.monotonic() - began

    def _advance_clock(self) -> float:
        now = time.monotonic()
        elapsed, self._clock = now - self._clock, now
        self.seconds += elapsed
        return elapsed

    def state_dict(self) -> dict[str, Any]:
        return {"pending": self.pending, "seconds": self.seconds + time.monotonic() - self._clock}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.pending = list(state["pending"])
        self.seconds = state["seconds"]
        self._clock = time.monotonic()


class GradientNorms:
    """The norm of every player's gradient over its weights, in the last step of a line: gradients are there
    until their player moves again, so that other steps pay nothing. It goes before the scoreboard."""

    def __init__(self, players: Sequence[Player]) -> None:
        self.players = players

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if progress.ends_line:
            for player in self.players:
                scores[f"{player.name}/weight_gradient_norm"] = player.gradient_norm()


def _stack(values: Sequence[Tensor]) -> Tensor:
    """Scalars → float32 `(n,)` on the CPU, in one transfer; those of a checkpoint come from the CPU."""
    return torch.stack([value.to(values[-1].device, torch.float32) for value in values]).cpu()


class SampleGrid:
    """Pictures of what the generator's average makes, with a grid of reals beside them, and how far the
    samples in them are apart.

    It goes before the scoreboard, whose next line has the distance among the scores of its steps, and whose
    first has that of the reals.
    """

    def __init__(self, experiment: Experiment, folder: Path, interval: int, tracker: Tracker) -> None:
        self.experiment, self.folder, self.interval, self.tracker = experiment, folder, interval, tracker
        network = experiment.ema.average
        settings, reals = experiment.spec.settings, experiment.reals
        if isinstance(network, Translator):
            self.draw: Callable[[], SamplePicture] = Translations(network, reals, settings)
        else:
            self.draw = Samples(
                from_noise(network, settings.arch), reals.samples, experiment.loader.grid_count, settings
            )

    def save_reals(self) -> None:
        save_png(picture_of(self.experiment.reals.samples), self.folder / "real.png")

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if progress.step == 1:
            self._note(scores, "real_distance", self.experiment.reals.samples)
        if progress.passes(self.interval):
            file = self.folder / f"kimg-{progress.seen // 1000:06d}.png"
            picture, samples = self.draw()
            save_png(picture, file)
            self.tracker.images("samples", file, progress.kimg)
            self._note(scores, "pairwise_distance", samples)

    def _note(self, scores: Scores, name: str, samples: Tensor) -> None:
        if len(samples) > 1:
            scores[f"samples/{name}"] = pairwise_distance(samples)


class Checkpointer:
    """Saves the experiment from time to time, and on demand."""

    def __init__(
        self, experiment: Experiment, checkpoints: Checkpoints, interval: int, metric_logger: MetricLogger
    ) -> None:
        self.experiment, self.checkpoints = experiment, checkpoints
        self.interval, self.metric_logger = interval, metric_logger
        self._saved = 0

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if progress.passes(self.interval):
            self.save(progress.step)

    def save(self, step: int) -> None:
        """Writes a checkpoint, unless a score or a weight is not finite (RunError); once for every step."""
        if step != self._saved:
            self.checkpoints.save(step, self.content(step))
            self._saved = step

    def content(self, step: int) -> dict[str, Any]:
        """What a checkpoint of this step holds. Raises RunError where a score or a weight is not finite.

        A finite loss can have a slope that is not, and the weights show it one step before the scores.
        """
        self.metric_logger.check(step)
        for name, parameter in self.experiment.game.named_parameters():
            if not parameter.isfinite().all():
                raise not_finite(step, name)
        return {**self.experiment.state_dict(), "scores": self.metric_logger.state_dict()}
