"""Instance normalization (Ulyanov et al. 2016), the norm of translators."""

from torch import nn

from gans.layers.norms import CriticNorm


class InstanceNorm(CriticNorm):
    """Instance norm: normalizes each feature map of each sample."""

    def of_maps(self, channels: int) -> list[nn.Module]:
        return [nn.InstanceNorm2d(channels, affine=True)]

    def of_vectors(self, units: int) -> list[nn.Module]:
        raise ValueError(
            "instance norm needs feature maps; for vectors there are: none, spectral, batch, layer"
        )

    def normalize_weights(self, critic: nn.Module) -> None:
        """Leaves the weights as they are."""
