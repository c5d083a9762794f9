"""The training clock, which counts real images shown, and schedules as pure functions of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from losses.core.schedule import ScheduledValue, constant


class Clock(NamedTuple):
    """The time of a run, read before a batch is loaded: images shown, batches loaded, progress.

    Attributes:
        seen: real images shown so far.
        batch_index: batches loaded so far.
        progress: share of the run's schedules that is over, in [0, 1]: of its images, those shown so far. A
            run that was made longer stays at 1 once it has shown as many images as it was to show before.
    """

    seen: int = 0
    batch_index: int = 0
    progress: float = 0.0


@dataclass(frozen=True)
class RateSchedule:
    """Learning rate multiplier: a linear warm-up, the full height, and a decay at the end of the run.

    Attributes:
        shape: how the rate falls at the end of the run, from 1, as a function of progress.
        decay_from: share of the run that is over when it begins to fall.
        warmup_images: images shown until the rate has risen, linearly, to its full height.
    """

    shape: Callable[[float], float] = constant
    decay_from: float = 0.0
    warmup_images: float = 0.0

    def __call__(self, clock: Clock) -> float:
        risen = min(1.0, clock.seen / self.warmup_images) if self.warmup_images > 0 else 1.0
        falling = max(0.0, (clock.progress - self.decay_from) / (1.0 - self.decay_from))
        return risen * self.shape(falling)


RateFactor = Callable[[Clock], float]


@dataclass(frozen=True)
class ScaledSchedule:
    """A learning rate schedule times a constant."""

    schedule: RateFactor
    share: float

    def __call__(self, clock: Clock) -> float:
        return self.share * self.schedule(clock)


@dataclass(frozen=True)
class ScheduledRate:
    """Learning rate multiplier that makes the learning rate follow a schedule."""

    scheduled: ScheduledValue
    full_rate: float

    def __call__(self, clock: Clock) -> float:
        return self.scheduled.at(clock.progress) / self.full_rate


@dataclass(frozen=True)
class Rates:
    """Schedules of one player's optimizer: its learning rate multiplier and its second beta.

    Attributes:
        factor: multiplier of its learning rate.
        beta2: its second beta, where a schedule drives it; None for the optimizer's own.
    """

    factor: RateFactor = RateSchedule()
    beta2: ScheduledValue | None = None


CONSTANT = Rates()
