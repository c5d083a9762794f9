"""The contract of critic norms, pixel norm, and dropout."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn


class CriticNorm(ABC):
    """Normalization in a critic: layers between its layers, or a change of its weights.

    Attributes:
        mixes_samples: whether one sample's logit depends on the others of its batch, which a gradient penalty
            sample by sample does not allow (WGAN-GP, section 4).
        normalizes_weights: whether weights that begin as zeros would be divided by zero.
    """

    mixes_samples: ClassVar[bool] = False
    normalizes_weights: ClassVar[bool] = False

    @abstractmethod
    def of_maps(self, channels: int) -> list[nn.Module]:
        """Layers that normalize feature maps `(N, channels, H, W)`: one, or none."""

    @abstractmethod
    def of_vectors(self, units: int) -> list[nn.Module]:
        """Layers that normalize vectors `(N, units)`: one, or none. Raises ValueError where it needs maps."""

    @abstractmethod
    def normalize_weights(self, critic: nn.Module) -> None:
        """Reparametrizes the weights of a finished critic, in place."""


class PixelNorm(nn.Module):
    """Pixel norm `x / √(mean_c x² + 10⁻⁸)`: scales every pixel's features to unit variance (ProGAN, 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalizes `(N, C, …)` over C."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def dropout(probability: float) -> list[nn.Module]:
    """Dropout with a probability as a list of layers: one, or none for 0."""
    return [nn.Dropout(probability)] if probability > 0 else []
