"""Minibatch discrimination (Salimans et al. 2016, section 3.2)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gans.layers.batch_statistics import MinibatchStatistic
from losses.core.options import option
from losses.core.ranks import gather_rows


@dataclass(frozen=True)
class DiscriminationOptions:
    """Options of minibatch discrimination."""

    spaces: int = option(100, "Learned spaces, each a feature map (B).", at_least=1, shapes_network=True)
    dimensions: int = option(5, "Dimensions of each space (C).", at_least=1, shapes_network=True)


class MinibatchDiscrimination(MinibatchStatistic):
    """Appends B feature maps: the nearness of a sample to all of its batch, in each of B learned spaces.

    With features f and a tensor T, `M_i = f(x_i) T` is a matrix of B rows, and the maps of sample i hold
    `o(x_i)_b = Σ_j exp(−‖M_ib − M_jb‖₁)`. The sum has the sample itself in it, as in the paper; the authors'
    code leaves it out, which is one less everywhere.

    Args:
        features: numbers in one sample's feature maps.
        options: B spaces, 100 as in the authors' code, and C dimensions, 5 there.
    """

    options_type: ClassVar[type] = DiscriminationOptions

    def __init__(
        self,
        features: int,
        options: DiscriminationOptions = DiscriminationOptions(),
    ) -> None:
        super().__init__()
        spaces, dimensions = options.spaces, options.dimensions
        self.added = spaces
        self.weight = nn.Parameter(torch.randn(features, spaces * dimensions))
        # An equalized layer; distances are about one at first, where the exponential has a slope.
        self.scale = 1 / (dimensions * math.sqrt(features))

    def check_parts(self, batch_size: int, process_size: int, pass_size: int) -> None:
        if pass_size < process_size:
            raise ValueError(
                "minibatch discrimination compares all samples of a batch, which must be in memory"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Appends B maps: `(N, C, H, W)` → `(N, C + B, H, W)`."""
        count, _, height, width = x.shape
        matrices = (x.flatten(1) @ (self.weight * self.scale)).view(count, self.added, -1)
        # Not torch.cdist, which has no second derivative for a gradient penalty.
        distances = (matrices[:, None] - gather_rows(matrices)[None]).abs().sum(dim=3)
        nearness = (-distances).exp().sum(dim=1)
        return torch.cat([x, nearness[:, :, None, None].expand(-1, -1, height, width)], dim=1)
