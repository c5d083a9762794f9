"""Points: 25 Gaussians at {−4, −2, 0, 2, 4}², σ 0.05 (PacGAN, Lin et al. 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import Fit, InMemoryData, Kind, Native, Source
from experiments.data.core.gaussians import HELD_OUT_SEED, gaussians, mode_names
from losses.core.options import option

_STEPS = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])


@dataclass(frozen=True)
class Grid25Options:
    """Options of grid25."""

    sigma: float = option(0.05, "Standard deviation of every Gaussian along each axis.", above=0.0)


class Grid25(Source):
    """Source of 100,000 points around a grid of 25 modes, 4,000 for each; labelled by mode.

    Attributes:
        centres: of the modes, float32 `(25, 2)`.
    """

    kind: ClassVar[Kind] = "points"
    is_embedded: ClassVar[bool] = True
    centres: ClassVar[Tensor] = torch.cartesian_prod(_STEPS, _STEPS)
    options_type: ClassVar[type] = Grid25Options

    def native(self) -> Native:
        check_no_argument("grid25", self.argument)
        return Native()

    def class_names(self) -> Sequence[str]:
        return mode_names(self.centres)

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens float32 points `(N, 2)`; size, channels and fit mean nothing to them."""
        del size, channels, fit
        check_no_argument("grid25", self.argument)
        return gaussians(self.centres, self.options.sigma)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens as many further points."""
        del size, channels, fit
        return gaussians(self.centres, self.options.sigma, HELD_OUT_SEED)
