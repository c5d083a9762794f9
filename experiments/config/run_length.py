"""Planning of a run: its length, and the size of every batch, as functions of images shown.

Growing networks may have batches of another size at each image size (ProGAN, appendix A). Such a run falls
into segments of equal steps, and everything else follows from where these begin.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.data.core.batch_sizes import BatchSchedule, Segment
from gans.core.clock import Clock
from gans.core.growth_pace import GROWING_SHARE, SCALED, GrowthPace


@dataclass(frozen=True)
class Growth:
    """Sizes, batch sizes and pace of networks that grow.

    Attributes:
        sides: pixels on the longer side, at every image size that they grow through.
        batch_sizes: batch size at each of them.
        rate_factors: multiple of the learning rates at each of them.
        pace: schedule of growing. It counts images where batches differ: a share of the run would depend
            on its length, and the length in images on how long the batches are large.
    """

    sides: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    pace: GrowthPace
    rate_factors: tuple[float, ...] = ()


def plan_growth(settings: Settings, levels: int) -> Growth:
    """Plans the growth of networks that double their images `levels` times; 0 for those that do not grow.

    Batch sizes and rates at image sizes that they do not have are without effect.
    """
    longest = max(settings.image_size or (0,))
    sides = tuple(longest >> halvings for halvings in reversed(range(levels + 1)))
    named = dict(settings.options.get("arch.stage_batch_sizes", ()))
    factors = dict(settings.options.get("arch.stage_rate_factors", ()))
    batch_sizes = tuple(named.get(side, settings.batch_size) for side in sides)
    first = _first_level(settings.options.get("arch.initial_side"), sides)
    fade, stable = (
        kimg_to_images(settings.options.get(f"arch.{name}")) for name in ("fade_kimg", "stable_kimg")
    )
    pace = GrowthPace(fade, stable, first)
    if named and levels > first and pace == replace(SCALED, first_level=first):
        images = planned_images(length_of_schedules(settings), batch_sizes[first:])
        each = GROWING_SHARE / (2 * (levels - first)) * images
        pace = GrowthPace(each, each, first)
    return Growth(sides, batch_sizes, pace, tuple(factors.get(side, 1.0) for side in sides))


def _first_level(side: int | None, sides: Sequence[int]) -> int:
    """Index of the size that growing begins at: the largest of at most `side` pixels, or the smallest."""
    return max((level for level, each in enumerate(sides) if each <= (side or 0)), default=0)


def planned_images(settings: Settings, batch_sizes: Sequence[int]) -> float:
    """Images shown in a run, not yet rounded to whole steps.

    Args:
        settings: of the run, with its length in steps or in kimg.
        batch_sizes: batch size at each image size, of which networks that grow spend the usual share of the
            images at every one.
    """
    if settings.steps is None:
        return (settings.kimg or 0.0) * 1000
    levels = len(batch_sizes) - 1
    begins = [0.0, *((2 * level - 1) * GROWING_SHARE / (2 * levels) for level in range(1, levels + 1)), 1.0]
    rounds_an_image = [
        (end - begin) / size for (begin, end), size in zip(pairwise(begins), batch_sizes, strict=True)
    ]
    return settings.steps * settings.n_critic / sum(rounds_an_image)


def length_of_schedules(settings: Settings) -> Settings:
    """The settings with the length over which schedules run: that which a longer run had before."""
    if settings.schedule_steps is None and settings.schedule_kimg is None:
        return settings
    return replace(settings, steps=settings.schedule_steps, kimg=settings.schedule_kimg)


def plan_batches(settings: Settings, growth: Growth, batches_per_round: int) -> BatchSchedule:
    """Plans the batches of the whole run, whichever way its length was given."""
    whole, _ = _plan_segments(settings, growth, batches_per_round)
    if (own := length_of_schedules(settings)) is settings:
        return whole
    return replace(whole, schedule_images=_plan_segments(own, growth, batches_per_round)[0].images)


def _plan_segments(
    settings: Settings, growth: Growth, batches_per_round: int, by_size: bool = False
) -> tuple[BatchSchedule, set[int]]:
    """Plans the batches of a run of this length; returns them with the image sizes that it reaches.

    Sizes with the same batches are not told apart but with `by_size`.
    """
    levels, stages = len(growth.sides) - 1, settings.options.get("arch.stage_batch_sizes", ())

    def level_at(seen: int) -> int:
        return ceil(growth.pace.stage(Clock(seen), levels)) if stages or by_size else levels

    segments: list[Segment] = []
    reached: set[int] = set()
    seen = step = 0
    while True:
        level = level_at(seen)
        size = growth.batch_sizes[level]
        images = size * batches_per_round
        reached.add(growth.sides[level])
        segments.append(Segment(seen, step * batches_per_round, size))
        left = settings.steps - step if settings.steps else _count_steps(settings.kimg, seen, images)
        rounds = left if level == levels else _count_steps_below(level, seen, images, left, level_at)
        seen, step = seen + rounds * images, step + rounds
        if rounds == left:
            break
    return BatchSchedule(tuple(segments), step, seen), reached


def _count_steps_below(level: int, seen: int, images: int, most: int, level_at: Callable[[int], int]) -> int:
    """Number of steps that begin before the level is left, by bisection, as there may be any number."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if level_at(seen + middle * images) <= level else (low, middle)
    return low


def _count_steps(kimg: float | None, seen: int, images_per_round: int) -> int:
    """Number of steps until `kimg` thousand images are shown, the last step in full."""
    return ceil(((kimg or 0.0) * 1000 - seen) / images_per_round)


STAGES = {
    "arch.stage_batch_sizes": "--stage-batch-sizes",
    "arch.stage_rate_factors": "--set arch.stage_rate_factors",
}


def check_sizes(settings: Settings, growth: Growth, asked: Collection[str]) -> None:
    """Checks that a run has every image size for which batch sizes or rates are asked for.

    Args:
        asked: keys of these options that are asked for; recipes may name more sizes.

    Raises UsageError for a size that the networks do not have, or that the run ends before.
    """
    _, reached = _plan_segments(settings, growth, settings.n_critic, by_size=True)
    for key in STAGES:
        sides = [side for side, _ in settings.options.get(key, ()) if key in asked]
        for known in (growth.sides, sorted(reached)):
            if missed := [side for side in sides if side not in known]:
                raise UsageError(
                    f"{STAGES[key]}: this run of {settings.arch} is never at {_join_numbers(missed)} pixels, "
                    f"but at {_join_numbers(known)}"
                )


def _join_numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def kimg_to_images(kimg: float | None) -> float | None:
    """Converts kimg to images; None stays None."""
    return None if kimg is None else kimg * 1000
