"""Points: 8 Gaussians on a circle of radius 1, σ 0.01; shows mode collapse at a glance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import Fit, InMemoryData, Kind, Native, Source
from experiments.data.core.gaussians import HELD_OUT_SEED, gaussians, mode_names
from losses.core.options import option

_ANGLES = torch.arange(8) * (2 * math.pi / 8)


@dataclass(frozen=True)
class Ring8Options:
    """Options of ring8."""

    sigma: float = option(0.01, "Standard deviation of every Gaussian along each axis.", above=0.0)


class Ring8(Source):
    """Source of 100,000 points around a ring of 8 modes, 12,500 for each; labelled by mode.

    Attributes:
        centres: of the modes, float32 `(8, 2)`.
    """

    kind: ClassVar[Kind] = "points"
    is_embedded: ClassVar[bool] = True
    centres: ClassVar[Tensor] = torch.stack([_ANGLES.cos(), _ANGLES.sin()], dim=1)
    options_type: ClassVar[type] = Ring8Options

    def native(self) -> Native:
        check_no_argument("ring8", self.argument)
        return Native()

    def class_names(self) -> Sequence[str]:
        return mode_names(self.centres)

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens float32 points `(N, 2)`; size, channels and fit mean nothing to them."""
        del size, channels, fit
        check_no_argument("ring8", self.argument)
        return gaussians(self.centres, self.options.sigma)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens as many further points."""
        del size, channels, fit
        return gaussians(self.centres, self.options.sigma, HELD_OUT_SEED)
