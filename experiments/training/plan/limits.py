"""Largest batch, micro-batch and image size that fit into memory, and lengths that fit into time."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from experiments.config.factory import check_batch_norm
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.training.memory_estimate import build_without_memory
from experiments.training.plan.rounds import as_one_of
from experiments.training.shared_batches import check_size
from gans.core.game import Game

MemoryOf = Callable[[Settings], int]
MOST_BATCH = 4096  # images in a batch that is tried
LARGEST_TRIED = 1024  # pixels on the longer side of images that are tried


@dataclass(frozen=True)
class LargestSizes:
    """Largest sizes that fit into memory, all other settings as they are; None where not even the smallest.

    Attributes:
        batch_size: images in a batch of all processes.
        micro_batch_size: images that a process computes at once of the batch that is asked for; None also for
            networks that need whole batches.
        image_size: (height, width).
    """

    batch_size: int | None
    micro_batch_size: int | None
    image_size: tuple[int, int] | None


def largest_sizes(
    settings: Settings, memory_of: MemoryOf, limit: int, processes: int, samples: int
) -> LargestSizes:
    """Finds the largest sizes that fit.

    Args:
        memory_of: bytes that a run of such settings takes; raises UsageError for those that cannot be.
        limit: bytes that there are.
        processes: that share a batch.
        samples: in the data, which bound a batch.
    """
    game, _ = build_without_memory(settings)
    micro = settings.micro_batch_size if isinstance(settings.micro_batch_size, int) else None
    whole = replace(settings, micro_batch_size=micro)
    batch = _largest(
        possible_batch_sizes(whole, game, processes, min(MOST_BATCH, samples)),
        lambda size: memory_of(replace(whole, batch_size=size)),
        limit,
    )
    own = settings.batch_size // processes
    parts = {size: replace(settings, micro_batch_size=size) for size in range(1, own + 1)}
    sizes = [size for size, each in parts.items() if _is_possible(each, game, processes)]
    at_once = _largest(sizes, lambda size: memory_of(parts[size]), limit)
    return LargestSizes(batch, at_once, _largest_image(whole, memory_of, limit))


def possible_batch_sizes(settings: Settings, game: Game, processes: int, most: int) -> list[int]:
    """Sizes of batches that can be shared out, from the smallest."""
    step = processes * (settings.micro_batch_size if isinstance(settings.micro_batch_size, int) else 1)
    sizes = range(step, most + 1, step)
    return [size for size in sizes if _is_possible(replace(settings, batch_size=size), game, processes)]


def _is_possible(settings: Settings, game: Game, processes: int) -> bool:
    """Whether a batch of this size can be shared out."""
    try:
        with as_one_of(processes):
            check_size(settings, game, settings.batch_size)
            check_batch_norm(settings, game.generator_network, game.critic_network)
    except UsageError:
        return False
    return True


def _largest(sizes: Sequence[int], memory_of: Callable[[int], int], limit: int) -> int | None:
    """The largest size that fits; memory never falls as the size grows."""
    fitting = bisect_right(sizes, limit, key=memory_of)
    return sizes[fitting - 1] if fitting else None


def _largest_image(settings: Settings, memory_of: MemoryOf, limit: int) -> tuple[int, int] | None:
    """The largest images that fit, by halving and doubling those that are asked for."""
    if settings.image_size is None:
        return None

    def fits(size: tuple[int, int]) -> bool:
        try:
            return memory_of(replace(settings, image_size=size)) <= limit
        except UsageError:
            return False

    height, width = settings.image_size
    if fits((height, width)):
        while max(height, width) * 2 <= LARGEST_TRIED and fits((height * 2, width * 2)):
            height, width = height * 2, width * 2
        return height, width
    while min(height, width) >= 8:
        height, width = height // 2, width // 2
        if fits((height, width)):
            return height, width
    return None


def kimg_in(hours: float, seconds: float, fixed: float, kimg: float) -> float:
    """Length in kimg that ends within so many hours.

    Args:
        seconds: that a run of `kimg` takes.
        fixed: those of them that do not grow with its length.
    """
    return max(0.0, (hours * 3600 - fixed) / max(1e-9, seconds - fixed) * kimg)
