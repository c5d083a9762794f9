"""Sides of the images within a network, by which published names count."""

from experiments.core.settings import Settings
from gans.core.published_format import PublishedFormat
from gans.layers.sizes import count_halvings


def sides_for(form: PublishedFormat, settings: Settings) -> list[int]:
    """Sides of the images of a network's layers, from the smallest to the full one, if names need them.

    Raises ValueError for images that are not square.
    """
    if not form.has_sides:
        return []
    height, width = settings.image_size or (0, 0)
    if height != width:
        raise ValueError(f"its images are not square ({height}x{width}), as published ones are")
    return [height >> step for step in reversed(range(count_halvings(height, width) + 1))]
