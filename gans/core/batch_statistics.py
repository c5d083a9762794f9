"""Layers that let a critic see how alike the samples of a batch are, or scale each feature vector."""

import torch
from torch import Tensor, nn


class PixelNorm(nn.Module):
    """`x / √(mean_c x² + 10⁻⁸)`: every pixel's feature vector to unit variance (ProGAN, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, …)` → the same."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class MinibatchDeviation(nn.Module):
    """Adds one feature map: the mean deviation of all features over a group of samples (ProGAN, section 3).

    Groups are made of the largest number of samples, up to `group`, that divides the batch.
    """

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
