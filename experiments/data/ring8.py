"""Points: 8 Gaussians on a circle of radius 1, σ 0.01; shows mode collapse at a glance."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data import Fit, Held, Kind, Native, Source
from experiments.data._arguments import refuse_argument
from experiments.data._gaussians import gaussians, mode_names

_ANGLES = torch.arange(8) * (2 * math.pi / 8)


class Ring8(Source):
    """100,000 points, 12,500 around each mode; labelled by mode.

    Attributes:
        centres: of the modes, float32 `(8, 2)`.
        sigma: standard deviation of every mode along each axis.
    """

    kind: ClassVar[Kind] = "points"
    is_embedded: ClassVar[bool] = True
    centres: ClassVar[Tensor] = torch.stack([_ANGLES.cos(), _ANGLES.sin()], dim=1)
    sigma: ClassVar[float] = 0.01

    def native(self) -> Native:
        refuse_argument("ring8", self.argument)
        return Native()

    def class_names(self) -> Sequence[str]:
        return mode_names(self.centres)

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> Held:
        """Float32 points `(N, 2)`; size, channels and fit mean nothing to them."""
        del size, channels, fit
        refuse_argument("ring8", self.argument)
        return gaussians(self.centres, self.sigma)
