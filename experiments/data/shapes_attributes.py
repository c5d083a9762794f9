"""Shapes with attributes: hue (red, green, blue), filled or an outline, small or large; any image size."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import Attributes, Fit, Kind, KnownChanges, Native, Source
from experiments.data.core.drawn import check_shape, held_out_scenes, training_scenes
from experiments.data.core.shapes import (
    CLASSES,
    colours,
    coverage,
    distances,
    factors_at,
    outline,
    paint,
    uniform,
)
from gans.core.attributes import NO_YES, AttributeGroup, attributes_from_numbers

HUE = AttributeGroup("hue", ("red", "green", "blue"))
FILLED = AttributeGroup("filled", NO_YES)
SIZE = AttributeGroup("size", ("small", "large"))
GROUPS = (HUE, FILLED, SIZE)
HUE_COLUMNS, FILLED_COLUMN, LARGE_COLUMN = slice(3), 3, 5
HUE_SPREAD = 0.06  # of the circle: reds differ, and no one takes them for another hue
RADII = (0.45, 0.69)  # of the least small and the least large shape
RADIUS_SPREAD = 0.06
LINE = 0.14  # width of an outline, in radii: the band of a ring is more than twice as wide
FILLED_STREAM, SIZE_STREAM = 6, 7  # of the hash; `factors_at` takes those before


def attributes_at(scene_indices: Tensor) -> Attributes:
    """Attributes of the scenes at indices, int64 `(B,)`: independent of each other, and equally likely."""
    hue, filled, size = (
        _pick_value(draws, group)[0] for draws, group in zip(_draws(scene_indices), GROUPS, strict=True)
    )
    return attributes_from_numbers(GROUPS, torch.stack([hue, filled, size], dim=1))


def draw_with(scene_indices: Tensor, rows: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Draws scenes (int64, `(B,)`) with the attributes of the rows `(B, 6)`: uint8 `(B, channels, *size)`.

    All else stays as it is in the scene, so that rows which are not the scene's own give what a perfect
    translation would give.
    """
    draws_hue, _, draws_size = _draws(scene_indices)
    large = rows[:, LARGE_COLUMN] > 0
    radius = torch.where(large, RADII[1], RADII[0]) + RADIUS_SPREAD * _pick_value(draws_size, SIZE)[1]
    turn = rows[:, HUE_COLUMNS].argmax(dim=1) / len(HUE.values) + HUE_SPREAD * (
        _pick_value(draws_hue, HUE)[1] - 0.5
    )
    distance = distances(replace(factors_at(scene_indices), size=radius), size)
    line = outline(distance, LINE * min(size) / 2 * radius[:, None, None])
    filled = rows[:, FILLED_COLUMN, None, None] > 0
    return paint(torch.where(filled, coverage(distance), line), colours(turn % 1), channels)


def _draws(scene_indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Random numbers of scenes for hue, filling and size, float32 `(B,)` in [0, 1) each."""
    return (
        factors_at(scene_indices).hue,
        uniform(scene_indices, FILLED_STREAM),
        uniform(scene_indices, SIZE_STREAM),
    )


def _pick_value(draws: Tensor, group: AttributeGroup) -> tuple[Tensor, Tensor]:
    """Picks the index of a value by a draw, and returns the rest of the draw, again in [0, 1)."""
    scaled = draws * len(group.values)
    number = scaled.floor()
    return number.long(), scaled - number


class AttributeShapes(KnownChanges):
    """Data set of drawn shapes with attributes, one a picture, drawn when it is fetched.

    They are drawn on the device of the indices.
    """

    def __init__(self, scenes: range, size: tuple[int, int], channels: int) -> None:
        self.scenes = scenes
        self.sample_shape = (channels, *size)
        every = torch.arange(scenes.start, scenes.stop)
        self.labels, self.classes = factors_at(every).label, CLASSES
        self.attributes = attributes_at(every)

    def __len__(self) -> int:
        return len(self.scenes)

    def fetch(self, indices: Tensor) -> Tensor:
        return self.fetch_with(indices, attributes_at(indices + self.scenes.start).table)

    def fetch_with(self, indices: Tensor, rows: Tensor) -> Tensor:
        """Draws the pictures at `indices` with the attributes of `rows` `(B, D)`: uint8 `(B, C, H, W)`."""
        channels, height, width = self.sample_shape
        return draw_with(indices + self.scenes.start, rows, (height, width), channels)

    def held_out(self) -> "AttributeShapes":
        """As many pictures for evaluation as there are here; no scene is among those for training."""
        channels, height, width = self.sample_shape
        return AttributeShapes(held_out_scenes(), (height, width), channels)


class ShapesAttributes(Source):
    """Source of drawn shapes with the attributes hue, filled and small.

    The shape, its place and its rotation are no attributes: they are to survive a translation.
    """

    kind: ClassVar[Kind] = "images"
    is_embedded: ClassVar[bool] = True

    def native(self) -> Native:
        check_no_argument("shapes-attributes", self.argument)
        return Native(channels=3)

    def class_names(self) -> Sequence[str]:
        return CLASSES

    def attribute_groups(self) -> Sequence[AttributeGroup]:
        return GROUPS

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> AttributeShapes:
        """Draws pictures at exactly `size`, so there is nothing to fit. Raises ValueError without a size."""
        del fit
        check_no_argument("shapes-attributes", self.argument)
        return AttributeShapes(training_scenes(), *check_shape("shapes-attributes", size, channels))

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> AttributeShapes:
        """Draws pictures of further scenes."""
        return self.open(size, channels, fit).held_out()
