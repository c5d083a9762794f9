"""Pace of progressive growing: how long each size fades in and stays (ProGAN, figure 2)."""

from dataclasses import dataclass
from math import ceil

from gans.core.clock import Clock, RateFactor
from losses.core.options import option

GROWING_SHARE = 0.6  # of a run that says nothing of its pace; the rest is spent at full size


@dataclass(frozen=True)
class GrowthOptions:
    """Options of progressive growing; where both lengths are None, growth takes 60 % of the run."""

    fade_kimg: float | None = option(None, "Length of the fade-in of a new size, in kimg.", above=0.0)
    stable_kimg: float | None = option(None, "Time at each size after its fade-in, in kimg.", above=0.0)
    initial_side: int | None = option(
        None, "Longer side in pixels at which growing begins; none: the smallest.", at_least=1
    )
    stage_batch_sizes: tuple[tuple[int, int], ...] = option(
        (), "Batch sizes by the longer side of the images, SIDE:N,…; at others --batch-size.", at_least=1
    )
    stage_rate_factors: tuple[tuple[int, float], ...] = option(
        (),
        "Multiples of both learning rates by the longer side of the images, SIDE:FACTOR,…; at others 1.",
        above=0.0,
    )


@dataclass(frozen=True)
class GrowthPace:
    """Schedule of progressive growing: fade-in and stable lengths in images shown (ProGAN, figure 2).

    Attributes:
        fade_images, stable_images: lengths in images shown. Where one is None, it equals the other; where
            both are, every size gets the same share of the run, such that GROWING_SHARE of it is growth.
        first_level: index of the size that growing begins at.
    """

    fade_images: float | None = None
    stable_images: float | None = None
    first_level: int = 0

    def stage(self, clock: Clock, levels: int) -> float:
        """The growth stage at a time, in [0, levels].

        The first size is stable first; then every larger size fades in, and is stable.
        """
        grown = levels - self.first_level
        if grown <= 0:
            return float(levels)
        fade, stable = self.fade_images or self.stable_images, self.stable_images or self.fade_images
        position = float(clock.seen)
        if fade is None or stable is None:
            fade = stable = GROWING_SHARE / (2 * grown)
            position = clock.progress
        if position < stable:
            return float(self.first_level)
        level, rest = divmod(position - stable, fade + stable)
        return self.first_level + min(level + min(1.0, rest / fade), float(grown))


SCALED = GrowthPace()


@dataclass(frozen=True)
class StageRate:
    """Learning rate multiplier of growing networks: a factor for each size, times that of a schedule.

    From the start of its fade-in on, a size has its own factor, as its own batch size.

    Attributes:
        schedule: the multiplier that all sizes share.
        pace: schedule of growing.
        factors: by size, from the smallest.
    """

    schedule: RateFactor
    pace: GrowthPace
    factors: tuple[float, ...]

    def __call__(self, clock: Clock) -> float:
        level = ceil(self.pace.stage(clock, len(self.factors) - 1))
        return self.schedule(clock) * self.factors[level]
