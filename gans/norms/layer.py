"""Layer normalization (Ba et al. 2016), the norm that WGAN-GP recommends for critics."""

from torch import nn

from gans.layers.norms import CriticNorm


class LayerNorm(CriticNorm):
    """Layer norm: normalizes all features of each sample together."""

    def of_maps(self, channels: int) -> list[nn.Module]:
        # Over (C, H, W) it is a group norm with one group, which needs no fixed size.
        return [nn.GroupNorm(num_groups=1, num_channels=channels)]

    def of_vectors(self, units: int) -> list[nn.Module]:
        return [nn.LayerNorm(units)]

    def normalize_weights(self, critic: nn.Module) -> None:
        """Leaves the weights as they are."""
