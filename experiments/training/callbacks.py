"""Callbacks of the training loop: called after every step, with the progress of the run and the scores.

None of them touches the mathematics. They stand in files of their own: metric_logging, sample_grids,
checkpoint_callback, collapse, best_generator and progress.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gans.core.player import Scores

GRIDS, CHECKPOINTS = 8, 10  # of a run, unless their intervals are given
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


def interval_images(kimg: float | None, times: int, images: int) -> int:
    """Number of images between two calls: as asked in kimg, else so that a run of `images` has that many."""
    return max(1, round(kimg * 1000) if kimg else images // times)


Callback = Callable[[Progress, Scores], None]
