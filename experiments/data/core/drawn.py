"""Sets of drawn shapes: scenes for training and held-out scenes, and sources with two drawings of them.

A scene is an index into the endless sequence of `factors_at`. How it is drawn is another matter, so that one
scene can be seen in several ways.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import DataSet, Domains, DomainSource, Fit, Kind, Native
from experiments.data.core.shapes import CLASSES, Factors, factors_at

LENGTH = 50_000
HELD_OUT = 5_000
Drawing = Callable[[Tensor, tuple[int, int], int], Tensor]  # (scenes, size, channels) → uint8 (B, C, H, W)


def training_scenes(second: bool = False) -> range:
    """Range of scenes for training; the second such range shares none with the first."""
    return range(LENGTH, 2 * LENGTH) if second else range(LENGTH)


def held_out_scenes() -> range:
    """Range of scenes for evaluation, which are in no range for training."""
    return range(2 * LENGTH, 2 * LENGTH + HELD_OUT)


class DrawnShapes(DataSet):
    """Data set of drawn shapes, one a picture, drawn when it is fetched, on the device of the indices.

    A picture is a pure function of the scene, the same at every size.
    """

    def __init__(self, draw: Drawing, scenes: range, size: tuple[int, int], channels: int) -> None:
        self.draw, self.scenes = draw, scenes
        self.sample_shape = (channels, *size)
        self.labels = factors_at(torch.arange(scenes.start, scenes.stop)).label
        self.classes = CLASSES

    def __len__(self) -> int:
        return len(self.scenes)

    def factors(self, indices: Tensor) -> Factors:
        """Ground truth factors of the pictures at `indices` (int64, `(B,)`)."""
        return factors_at(indices + self.scenes.start)

    def fetch(self, indices: Tensor) -> Tensor:
        channels, height, width = self.sample_shape
        return self.draw(indices + self.scenes.start, (height, width), channels)


class DrawnDomains(DomainSource):
    """Base of sources of two domains: shapes drawn in two ways.

    They have no size of their own: 32 to 256 pixels look well.

    Pairs are two drawings of one scene. Without pairs, the two sets have no scene in common. The held-out
    ones have all in common, so that a translation can be compared with the true one.

    Attributes:
        name: the word after `--data`.
        domain_names: names of the two domains.
        has_pairs: whether there are pairs for training.
    """

    kind: ClassVar[Kind] = "images"
    is_embedded: ClassVar[bool] = True
    name: ClassVar[str]
    domain_names: ClassVar[tuple[str, str]]
    has_pairs: ClassVar[bool]

    @abstractmethod
    def drawings(self) -> tuple[Drawing, Drawing]:
        """The functions that draw scenes in the two ways."""

    def native(self) -> Native:
        check_no_argument(self.name, self.argument)
        return Native(channels=3)

    def native_domains(self, paired: bool) -> Native:
        if paired and not self.has_pairs:
            raise ValueError(f"data {self.name!r} has no pairs: take --data shapes-paired")
        return self.native()

    def class_names(self) -> Sequence[str]:
        return CLASSES

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the second domain, for training."""
        return self.open_domains(size, channels, fit, self.has_pairs).b

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the second domain, for evaluation."""
        return self.open_domains(size, channels, fit, self.has_pairs, held_out=True).b

    def open_domains(
        self,
        size: tuple[int, int] | None,
        channels: int | None,
        fit: Fit,
        paired: bool,
        held_out: bool = False,
    ) -> Domains:
        """Opens both domains at exactly `size`, so there is nothing to fit.

        Raises ValueError without a size, for other than 1 or 3 channels, and for pairs where training has
        none.
        """
        del fit
        self.native_domains(paired and not held_out)
        size, channels = check_shape(self.name, size, channels)
        scenes = held_out_scenes() if held_out else training_scenes()
        partners = scenes if paired or held_out else training_scenes(second=True)
        draw_a, draw_b = self.drawings()
        a, b = DrawnShapes(draw_a, scenes, size, channels), DrawnShapes(draw_b, partners, size, channels)
        return Domains(a, b, self.domain_names, paired)


def check_shape(name: str, size: tuple[int, int] | None, channels: int | None) -> tuple[tuple[int, int], int]:
    """Checks the size and channels of a drawn set, and returns them; channels are 3 by default.

    Raises ValueError without a size, and for other than 1 or 3 channels.
    """
    if size is None:
        raise ValueError(f"data {name!r} has no size of its own: give one with --image-size")
    if channels not in (None, 1, 3):
        raise ValueError(f"data {name!r} is drawn with 1 or 3 channels, not {channels}")
    return size, channels or 3
