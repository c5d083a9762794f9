"""The only clock: real images shown. Every schedule is a pure function of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from losses.schedules import SCHEDULES

GROWING_SHARE = 0.6  # of a run that says nothing of its pace; the rest is spent at full size


class Clock(NamedTuple):
    """What time it is, read before a batch is dealt.

    Attributes:
        seen: real images shown so far.
        turn: batches dealt so far.
        progress: share of the run's images that were shown so far, in [0, 1).
    """

    seen: int = 0
    turn: int = 0
    progress: float = 0.0


@dataclass(frozen=True)
class RateSchedule:
    """What a player's learning rate is multiplied by.

    Attributes:
        shape: a key of losses.schedules.SCHEDULES: how the rate falls to zero at the end of the run.
        decay_from: share of the run that is over when it begins to fall.
        warmup_images: images shown until the rate has risen, linearly, to its full height.
    """

    shape: str = "constant"
    decay_from: float = 0.0
    warmup_images: float = 0.0

    def __call__(self, clock: Clock) -> float:
        risen = min(1.0, clock.seen / self.warmup_images) if self.warmup_images > 0 else 1.0
        falling = max(0.0, (clock.progress - self.decay_from) / (1.0 - self.decay_from))
        return risen * SCHEDULES[self.shape](falling)


Schedule = Callable[[Clock], float]


@dataclass(frozen=True)
class Slowed:
    """A schedule at a share of its height."""

    schedule: Schedule
    share: float

    def __call__(self, clock: Clock) -> float:
        return self.share * self.schedule(clock)


@dataclass(frozen=True)
class Pace:
    """How long growing networks fade to the next size and stay there, in images shown (ProGAN, figure 2).

    Attributes:
        fade, stable: images. One that is None is as the other; if both are, all sizes get the same share of
            the run, such that GROWING_SHARE of it is growth.
    """

    fade: float | None = None
    stable: float | None = None

    def stage(self, clock: Clock, levels: int) -> float:
        """In [0, levels]. The smallest size is stable first; then every other fades in, and is stable."""
        if levels == 0:
            return 0.0
        fade, stable, position = self.fade or self.stable, self.stable or self.fade, float(clock.seen)
        if fade is None or stable is None:
            fade = stable = GROWING_SHARE / (2 * levels)
            position = clock.progress
        if position < stable:
            return 0.0
        level, rest = divmod(position - stable, fade + stable)
        return min(level + min(1.0, rest / fade), float(levels))


SCALED = Pace()
