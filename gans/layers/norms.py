"""The contract of critic norms, norms of generators, pixel norm, and dropout."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm

from gans.layers.batch_norm import BatchNorm2dOverRanks
from losses.core.batch_parts import draw_like
from losses.core.precision import in_full_precision


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


class ImageBatchNorm(BatchNorm2dOverRanks):
    """Batch norm that, outside training, normalizes each image by its own statistics.

    So pix2pix is used: with the statistics of the test batch, which is one image (Isola et al. 2017, 3.4).
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        return instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def generator_norm(kind: str, channels: int, statistics: str = "image") -> nn.Module:
    """Makes a norm of a generator's feature maps `(N, channels, H, W)`.

    Args:
        kind: "plain-instance", "instance" (with scale and shift), or "batch".
        statistics: of batch norm outside training: of each "image", or "running" ones.
    """
    if kind == "batch":
        return (nn.BatchNorm2d if statistics == "running" else ImageBatchNorm)(channels)
    return nn.InstanceNorm2d(channels, affine=kind == "instance")


class PixelNorm(nn.Module):
    """Pixel norm `x / √(mean_c x² + 10⁻⁸)`: scales every pixel's features to unit variance (ProGAN, 4.2)."""

    @in_full_precision
    def forward(self, x: Tensor) -> Tensor:
        """Normalizes `(N, C, …)` over C."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def drop_features(x: Tensor, probability: float) -> Tensor:
    """Dropout: sets features of samples `(N, …)` to 0 with a probability, and enlarges the others."""
    kept = draw_like(lambda like: torch.empty_like(like).bernoulli_(1 - probability), x)
    return x * kept.div_((1 - probability) or 1.0)


class Dropout(nn.Dropout):
    """Dropout whose draws are those of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        return drop_features(x, self.p) if self.training and self.p > 0 else x


def dropout(probability: float) -> list[nn.Module]:
    """Dropout with a probability as a list of layers: one, or none for 0."""
    return [Dropout(probability)] if probability > 0 else []
