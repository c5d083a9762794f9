"""Layers that let a critic see how alike the samples of a batch are, or scale each feature vector."""

import math
from abc import ABC
from collections.abc import Callable

import torch
from torch import Tensor, nn


class PixelNorm(nn.Module):
    """`x / √(mean_c x² + 10⁻⁸)`: every pixel's feature vector to unit variance (ProGAN, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, …)` → the same."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class MinibatchStatistic(nn.Module, ABC):
    """Tells every sample of its batch: `(N, C, H, W)` → `(N, C + added, H, W)`."""

    added: int


class MinibatchDeviation(MinibatchStatistic):
    """Adds one feature map: the mean deviation of all features over a group of samples (ProGAN, section 3).

    Groups are made of the largest number of samples, up to `group`, that divides the batch.
    """

    added = 1

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` → `(N, C + 1, H, W)`."""
        count, _, height, width = x.shape
        group = max(size for size in range(1, min(self.group, count) + 1) if count % size == 0)
        # Sample i is in the group of i modulo N / group, as in the authors' code.
        grouped = x.view(group, count // group, *x.shape[1:])
        variance = (grouped - grouped.mean(dim=0)).square().mean(dim=0)
        deviation = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))
        return torch.cat([x, deviation.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, height, width)], dim=1)


class MinibatchDiscrimination(MinibatchStatistic):
    """Adds B feature maps: how near a sample is to all of its batch, in each of B learned spaces of C
    dimensions (Salimans et al. 2016, section 3.2).

    With features f and a tensor T, `M_i = f(x_i) T` is a matrix of B rows, and what sample i is told is
    `o(x_i)_b = Σ_j exp(−‖M_ib − M_jb‖₁)`. The sum has the sample itself in it, as in the paper; the authors'
    code leaves it out, which is one less everywhere.

    Args:
        features: numbers in one sample's feature maps.
        spaces: B, 100 as in the authors' code.
        dimensions: C, 5 there.
    """

    def __init__(self, features: int, spaces: int = 100, dimensions: int = 5) -> None:
        super().__init__()
        self.added = spaces
        self.weight = nn.Parameter(torch.randn(features, spaces * dimensions))
        # An equalized layer; distances are about one at first, where the exponential has a slope.
        self.scale = 1 / (dimensions * math.sqrt(features))

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)` → `(N, C + B, H, W)`."""
        count, _, height, width = x.shape
        matrices = (x.flatten(1) @ (self.weight * self.scale)).view(count, self.added, -1)
        # Not torch.cdist, which has no second derivative for a gradient penalty.
        distances = (matrices[:, None] - matrices[None]).abs().sum(dim=3)
        nearness = (-distances).exp().sum(dim=1)
        return torch.cat([x, nearness[:, :, None, None].expand(-1, -1, height, width)], dim=1)


class NoStatistic(MinibatchStatistic):
    """Samples are judged one by one."""

    added = 0

    def forward(self, x: Tensor) -> Tensor:
        return x


# Given the features of one sample, the layer.
STATISTICS: dict[str, Callable[[int], MinibatchStatistic]] = {
    "deviation": lambda features: MinibatchDeviation(),
    "discrimination": MinibatchDiscrimination,
    "none": lambda features: NoStatistic(),
}
