"""Points: 25 Gaussians at {−4, −2, 0, 2, 4}², σ 0.05 (PacGAN, Lin et al. 2018)."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data import Fit, Held, Kind, Native, Source
from experiments.data._arguments import refuse_argument
from experiments.data._gaussians import gaussians, mode_names

_STEPS = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])


class Grid25(Source):
    """100,000 points, 4,000 around each mode; labelled by mode.

    Attributes:
        centres: of the modes, float32 `(25, 2)`.
        sigma: standard deviation of every mode along each axis.
    """

    kind: ClassVar[Kind] = "points"
    is_embedded: ClassVar[bool] = True
    centres: ClassVar[Tensor] = torch.cartesian_prod(_STEPS, _STEPS)
    sigma: ClassVar[float] = 0.05

    def native(self) -> Native:
        refuse_argument("grid25", self.argument)
        return Native()

    def class_names(self) -> Sequence[str]:
        return mode_names(self.centres)

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> Held:
        """Float32 points `(N, 2)`; size, channels and fit mean nothing to them."""
        del size, channels, fit
        refuse_argument("grid25", self.argument)
        return gaussians(self.centres, self.sigma)
