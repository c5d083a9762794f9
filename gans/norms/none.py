"""Leaves the critic without normalization."""

from torch import nn

from gans.layers.norms import CriticNorm


class NoNorm(CriticNorm):
    """No normalization: no layers, and weights as they are."""

    def of_maps(self, channels: int) -> list[nn.Module]:
        return []

    def of_vectors(self, units: int) -> list[nn.Module]:
        return []

    def normalize_weights(self, critic: nn.Module) -> None:
        """Leaves the weights as they are."""
