"""Instance normalization without scale and shift, as CycleGAN's code has it (Zhu et al. 2017)."""

from torch import nn

from gans.layers.norms import CriticNorm


class PlainInstanceNorm(CriticNorm):
    """Instance norm without scale and shift: normalizes each feature map of each sample."""

    def of_maps(self, channels: int) -> list[nn.Module]:
        return [nn.InstanceNorm2d(channels)]

    def of_vectors(self, units: int) -> list[nn.Module]:
        raise ValueError(
            "instance norm needs feature maps; for vectors there are: none, spectral, batch, layer"
        )

    def normalize_weights(self, critic: nn.Module) -> None:
        """Leaves the weights as they are."""
