"""Coloured shapes in six classes, with known hue, size, rotation and position; any image size."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import DataSet, Fit, Kind, Native, Source
from experiments.data.core.drawn import held_out_scenes
from experiments.data.core.shapes import CLASSES, Factors, colours, coverage, distances, factors_at, paint

LENGTH = 50_000


class ShapeImages(DataSet):
    """Data set of drawn shapes, one a picture, drawn when it is fetched, on the device of the indices.

    A picture is a pure function of its scene, the same at every size; `factors` has its ground truth.
    """

    def __init__(self, size: tuple[int, int], channels: int, scenes: range | None = None) -> None:
        self.scenes = scenes or range(LENGTH)
        self.sample_shape = (channels, *size)
        self.labels = factors_at(torch.arange(self.scenes.start, self.scenes.stop)).label
        self.classes = CLASSES

    def __len__(self) -> int:
        return len(self.scenes)

    def factors(self, indices: Tensor) -> Factors:
        """Ground truth factors of the pictures at `indices` (int64, `(B,)`)."""
        return factors_at(indices + self.scenes.start)

    def fetch(self, indices: Tensor) -> Tensor:
        channels, height, width = self.sample_shape
        factors = self.factors(indices)
        cover = coverage(distances(factors, (height, width)))
        return paint(cover, colours(factors.hue), channels)


class Shapes(Source):
    """Source of drawn shapes in six classes.

    They have no size of their own: 32 to 256 pixels look well.
    """

    kind: ClassVar[Kind] = "images"
    is_embedded: ClassVar[bool] = True

    def native(self) -> Native:
        check_no_argument("shapes", self.argument)
        return Native(size=None, channels=3)

    def class_names(self) -> Sequence[str]:
        return CLASSES

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> ShapeImages:
        """Draws pictures at exactly `size`, so there is nothing to fit. Raises ValueError without a size."""
        del fit
        return self._drawn(size, channels)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> ShapeImages:
        """Draws pictures of further scenes."""
        del fit
        return self._drawn(size, channels, held_out_scenes())

    def _drawn(
        self, size: tuple[int, int] | None, channels: int | None, scenes: range | None = None
    ) -> ShapeImages:
        check_no_argument("shapes", self.argument)
        if size is None:
            raise ValueError("data 'shapes' has no size of its own: give one with --image-size")
        if channels not in (None, 1, 3, 4):
            raise ValueError(f"data 'shapes' is drawn with 1, 3 or 4 channels, not {channels}")
        return ShapeImages(size, channels or 3, scenes)
