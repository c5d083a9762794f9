"""Remark on images that are trained smaller than they are, by a size that nobody asked for."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from experiments.config.resolve import RunSpec
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.data.core.dataset import DataSet
from experiments.training.memory_estimate import build_without_memory

RECIPES = ("preset ", "architecture ", "loss ")  # beginnings of the sources of values that no user gave
LARGEST_PROPOSED = 1024  # pixels on the longer side of images, the largest that published networks make


def remark_on_native_size(spec: RunSpec, sets: Iterable[DataSet]) -> str:
    """Makes a remark where a recipe brings a smaller size than that of all images; else it is empty.

    Args:
        sets: the data of the run.
    """
    settings, origin = spec.settings, spec.sources["image_size"]
    if settings.image_size is None or not origin.startswith(RECIPES):
        return ""
    sizes: Counter[tuple[int, int]] = Counter()
    for each in sets:
        if not each.native_sizes:
            return ""
        sizes.update(each.native_sizes)
    (height, width), *others = sizes
    own = settings.image_size
    if others or (height, width) == own or height < own[0] or width < own[1]:
        return ""
    words = str(height) if height == width else f"{height}x{width}"
    remedy = f"--image-size {words} keeps their size"
    if not _can_have(settings, (height, width)):
        remedy = "--image-size chooses another size"
    return f"images of {height}×{width} are trained at {own[0]}×{own[1]} ({origin}); {remedy}"


def _can_have(settings: Settings, size: tuple[int, int]) -> bool:
    """Whether images of this size are worth a proposal: the run's networks make them, on common devices."""
    if max(size) > LARGEST_PROPOSED:
        return False
    try:
        build_without_memory(replace(settings, image_size=size))
    except UsageError:
        return False
    return True
