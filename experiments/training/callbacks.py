"""Callbacks of the training loop: scores and the check that they are finite, sample grids, checkpoints.

A callback is called after every step with the progress of the run and the step's scores. None of them
touches the mathematics.
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
from experiments.core.images import draw_samples, save_png
from experiments.runs.checkpoint import Checkpoints
from experiments.runs.generator import from_noise
from experiments.trackers.core.tracker import Tracker
from experiments.training.experiment import Experiment
from experiments.training.sample_grids import SampleGridDrawer, SamplePicture, TranslationDrawer
from gans.core.player import Player, Scores
from gans.core.translation import Translator

SCORE_STEPS = 25  # steps between lines of scores, each of which synchronizes with the device


@dataclass(frozen=True)
class Progress:
    """Progress of a run after step `step`, with `seen` images shown since the start.

    Attributes:
        step: number of the step, from 1.
        seen: images shown so far; previous_seen: before this step.
        is_last: whether this is the last step of the run.
    """

    step: int
    seen: int
    previous_seen: int
    is_last: bool

    @property
    def kimg(self) -> float:
        """Thousands of images shown so far."""
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
    """

    def __init__(self, tracker: Tracker, show: Callable[[dict[str, float]], None]) -> None:
        self.tracker = tracker
        self.show = show
        self.pending: list[Scores] = []
        self.line: dict[str, float] = {}  # the last line of scores
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

    def _line(self, progress: Progress) -> None:
        """Logs a line of scores: means since the line before, time and speed."""
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

    def state_dict(self) -> dict[str, Any]:
        """Pending scores, and seconds of training so far."""
        return {"pending": self.pending, "seconds": self.seconds + time.monotonic() - self._clock}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` has returned, from a checkpoint."""
        self.pending = list(state["pending"])
        self.seconds = state["seconds"]
        self._clock = time.monotonic()


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


class SampleGrid:
    """Saves sample grids of the EMA generator and one of real samples, and scores how far samples are apart.

    It goes before the metric logger, whose next line has the distance among the scores of its steps,
    and whose first has that of the real samples.
    """

    def __init__(self, experiment: Experiment, folder: Path, interval: int, tracker: Tracker) -> None:
        self.experiment, self.folder, self.interval, self.tracker = experiment, folder, interval, tracker
        network = experiment.ema.average
        settings, reals = experiment.spec.settings, experiment.reals
        if isinstance(network, Translator):
            self.draw: Callable[[], SamplePicture] = TranslationDrawer(network, reals, settings)
        else:
            self.draw = SampleGridDrawer(
                from_noise(network, settings.arch), reals.samples, experiment.loader.grid_count, settings
            )

    def save_reals(self) -> None:
        """Saves the grid of real samples, `real.png`."""
        save_png(draw_samples(self.experiment.reals.samples), self.folder / "real.png")

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if progress.step == 1:
            self._score_distance(scores, "real_distance", self.experiment.reals.samples)
        if progress.passes(self.interval):
            file = self.folder / f"kimg-{progress.seen // 1000:06d}.png"
            picture, samples = self.draw()
            save_png(picture, file)
            self.tracker.images("samples", file, progress.kimg)
            self._score_distance(scores, "pairwise_distance", samples)

    def _score_distance(self, scores: Scores, name: str, samples: Tensor) -> None:
        """Adds the mean pairwise distance of samples to the scores."""
        if len(samples) > 1:
            scores[f"samples/{name}"] = pairwise_distance(samples)


class Checkpointer:
    """Saves checkpoints of the experiment at an interval, and on demand."""

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
        """Writes a checkpoint, once for every step. Raises RunError where a score or weight is not finite."""
        if step != self._saved:
            self.checkpoints.save(step, self.content(step))
            self._saved = step

    def content(self, step: int) -> dict[str, Any]:
        """Content of a checkpoint of this step. Raises RunError where a score or a weight is not finite.

        A finite loss can have a slope that is not, and the weights show it one step before the scores.
        """
        self.metric_logger.check(step)
        for name, parameter in self.experiment.game.named_parameters():
            if not parameter.isfinite().all():
                raise not_finite_error(step, name)
        return {**self.experiment.state_dict(), "scores": self.metric_logger.state_dict()}
