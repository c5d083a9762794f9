"""Batch normalization (Ioffe & Szegedy 2015)."""

from typing import ClassVar

from torch import nn

from gans.layers.norms import CriticNorm


class BatchNorm(CriticNorm):
    """Batch norm: normalizes each channel over the batch, which rules out a gradient penalty."""

    mixes_samples: ClassVar[bool] = True

    def of_maps(self, channels: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(channels)]

    def of_vectors(self, units: int) -> list[nn.Module]:
        return [nn.BatchNorm1d(units)]

    def normalize_weights(self, critic: nn.Module) -> None:
        """Leaves the weights as they are."""
