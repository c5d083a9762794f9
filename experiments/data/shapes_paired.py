"""Pairs: the outline of a shape, and the same shape filled with the colour of that line; any image size."""

from typing import ClassVar

from torch import Tensor

from experiments.data.core.drawn import Drawing, DrawnDomains
from experiments.data.core.shapes import colours, coverage, distances, factors_at, outline, paint

LINE = 0.1  # width; the unit is half the short side of the frame


def draw_outline(scenes: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Uint8 `(B, channels, *size)`: a line along the edge, all of it inside."""
    factors = factors_at(scenes)
    return paint(outline(distances(factors, size), LINE * min(size) / 2), colours(factors.hue), channels)


def draw_filled(scenes: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Uint8 `(B, channels, *size)`: the pictures of `shapes`."""
    factors = factors_at(scenes)
    return paint(coverage(distances(factors, size)), colours(factors.hue), channels)


class ShapesPaired(DrawnDomains):
    """From the outline, all of the other picture can be told: it is that much to learn and no more."""

    name: ClassVar[str] = "shapes-paired"
    domain_names: ClassVar[tuple[str, str]] = ("outline", "filled")
    has_pairs: ClassVar[bool] = True

    def drawings(self) -> tuple[Drawing, Drawing]:
        return draw_outline, draw_filled
