"""Shapes in two styles without pairs: lights in the dark, and hatched prints on paper; any image size."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.drawn import Drawing, DrawnDomains
from experiments.data.core.shapes import (
    colours,
    coverage,
    distances,
    factors_at,
    luma_of,
    outline,
    quantize_in_place,
)
from experiments.data.shapes_paired import draw_filled

PAPER = (0.96, 0.93, 0.86)
INK = (0.13, 0.14, 0.25)
# The unit of length is half the short side of the frame.
PERIOD = 0.3  # from one stroke of the hatching to the next
LINE = 0.12  # width
OUTSIDE = 0.05  # of it, as much as the largest shape leaves of the frame


def draw_light(scene_indices: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Draws scenes in flat colour on a dark ground, as in `shapes`: uint8 `(B, channels, *size)`."""
    return draw_filled(scene_indices, size, channels)


def draw_print(scene_indices: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Draws scenes outlined in ink and hatched in colour on light paper: uint8 `(B, channels, *size)`."""
    factors = factors_at(scene_indices)
    distance = distances(factors, size)
    paper, ink = (torch.tensor(colour, device=scene_indices.device) for colour in (PAPER, INK))
    # Darker than a light, or yellow would be lost on paper; between the strokes its tint, for thin shapes.
    hue = 0.8 * colours(factors.hue) + 0.2 * ink
    palette = [paper.expand_as(hue), 0.35 * hue + 0.65 * paper, hue, ink.expand_as(hue)]
    if channels == 1:
        palette = [luma_of(colour) for colour in palette]
    ground, tint, stroke, line = (colour[:, :, None, None] for colour in palette)
    half = min(size) / 2
    inside, lined = coverage(distance)[:, None], outline(distance, LINE * half, OUTSIDE * half)[:, None]
    picture = ground + (tint + (stroke - tint) * _strokes(size, scene_indices.device) - ground) * inside
    return quantize_in_place(picture + (line - picture) * lined)


def _strokes(size: tuple[int, int], device: torch.device) -> Tensor:
    """Coverage of each pixel by slanting strokes, in [0, 1], `(H, W)`: half of the plane in all."""
    height, width = size
    period = PERIOD * min(height, width) / 2
    rows = torch.arange(height, device=device)[:, None] + 0.5 - height / 2
    columns = torch.arange(width, device=device) + 0.5 - width / 2
    turns = (rows + columns) / (math.sqrt(2) * period)
    return coverage(((turns - turns.floor() - 0.5).abs() - 0.25) * period)


class ShapesStyles(DrawnDomains):
    """Source of shapes in two styles without pairs: flat on dark ground, and hatched on light paper.

    The shape, its hue and its place can be kept; ground, edge and filling must be exchanged.
    """

    name: ClassVar[str] = "shapes-styles"
    domain_names: ClassVar[tuple[str, str]] = ("light", "print")
    has_pairs: ClassVar[bool] = False

    def drawings(self) -> tuple[Drawing, Drawing]:
        return draw_light, draw_print
