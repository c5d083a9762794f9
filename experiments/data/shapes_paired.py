"""Pairs: the outline of a shape, and the same shape filled with the colour of that line; any image size."""

from typing import ClassVar

from torch import Tensor

from experiments.data.core.drawn import Drawing, DrawnDomains
from experiments.data.core.shapes import colours, coverage, distances, factors_at, outline, paint

LINE = 0.1  # width; the unit is half the short side of the frame


def draw_outline(scene_indices: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Draws scenes as outlines, a line along the edge, all of it inside: uint8 `(B, channels, *size)`."""
    factors = factors_at(scene_indices)
    return paint(outline(distances(factors, size), LINE * min(size) / 2), colours(factors.hue), channels)


def draw_filled(scene_indices: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Draws scenes as filled shapes, the pictures of `shapes`: uint8 `(B, channels, *size)`."""
    factors = factors_at(scene_indices)
    return paint(coverage(distances(factors, size)), colours(factors.hue), channels)


class ShapesPaired(DrawnDomains):
    """Source of pairs: outlines of shapes, and the same shapes filled.

    All of the filled picture can be told from the outline: it is that much to learn and no more.
    """

    name: ClassVar[str] = "shapes-paired"
    domain_names: ClassVar[tuple[str, str]] = ("outline", "filled")
    has_pairs: ClassVar[bool] = True

    def drawings(self) -> tuple[Drawing, Drawing]:
        return draw_outline, draw_filled
