"""The only clock: real images shown. Every schedule is a pure function of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from losses.schedules import SCHEDULES


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
