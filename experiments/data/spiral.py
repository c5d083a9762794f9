"""Points: two spiral arms of one turn around each other, σ 0.02; a thin curve instead of separate modes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import Fit, InMemoryData, Kind, Native, Source
from experiments.data.core.gaussians import HELD_OUT_SEED, SEED, gaussians
from losses.core.options import option

ARMS = ("first arm", "second arm")
STEPS = 100  # centres on an arm


def _centres() -> Tensor:
    """Centres of the Gaussians, float32 `(200, 2)`, the arms in turns: ±r(cos θ, sin θ), r = θ / (5π/2).

    θ² goes from (π/2)² to (5π/2)² in equal steps, because the length of the curve grows nearly as θ².
    """
    theta = torch.linspace((math.pi / 2) ** 2, (5 * math.pi / 2) ** 2, STEPS, dtype=torch.float64).sqrt()
    arm = (theta / (5 * math.pi / 2))[:, None] * torch.stack([theta.cos(), theta.sin()], dim=1)
    return torch.stack([arm, -arm], dim=1).flatten(0, 1).float()


@dataclass(frozen=True)
class SpiralOptions:
    """Options of spiral."""

    sigma: float = option(0.02, "Standard deviation of every Gaussian along each axis.", above=0.0)


class Spiral(Source):
    """Source of 100,000 points of two Archimedean spirals, from radius 0.2 to 1; labelled by arm.

    The density is known exactly: the mean of 200 Gaussians. Neighbours on an arm are two standard
    deviations apart, so that it hardly changes along the curve; the arms stay 18 standard deviations apart.

    Attributes:
        centres: of the Gaussians, float32 `(200, 2)`.
    """

    kind: ClassVar[Kind] = "points"
    is_embedded: ClassVar[bool] = True
    centres: ClassVar[Tensor] = _centres()
    options_type: ClassVar[type] = SpiralOptions

    def native(self) -> Native:
        check_no_argument("spiral", self.argument)
        return Native()

    def class_names(self) -> Sequence[str]:
        return ARMS

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens float32 points `(N, 2)`; size, channels and fit mean nothing to them."""
        del size, channels, fit
        check_no_argument("spiral", self.argument)
        return self._points(SEED)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens as many further points."""
        del size, channels, fit
        return self._points(HELD_OUT_SEED)

    def _points(self, seed: int) -> InMemoryData:
        points = gaussians(self.centres, self.options.sigma, seed).samples
        return InMemoryData(points, torch.arange(len(points)) % len(ARMS), ARMS)
