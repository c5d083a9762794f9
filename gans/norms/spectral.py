"""Spectral normalization: divides every weight by its largest singular value (SNGAN, Miyato et al. 2018)."""

from typing import ClassVar

from torch import nn
from torch.nn.utils import parametrizations

from gans.layers.equalized import EqualizedConvolution, EqualizedLinear
from gans.layers.labels import EqualizedEmbedding
from gans.layers.norms import CriticNorm

WEIGHTED = (
    *(nn.Conv2d, nn.Linear, nn.ConvTranspose2d, nn.Embedding),
    *(EqualizedConvolution, EqualizedLinear, EqualizedEmbedding),
)


class SpectralNorm(CriticNorm):
    """Spectral norm: divides each weight of the critic by its largest singular value (algorithm 1).

    This concerns convolutions, linear layers and embeddings of labels. The singular value is estimated by one
    step of power iteration in each update.
    """

    normalizes_weights: ClassVar[bool] = True

    def of_maps(self, channels: int) -> list[nn.Module]:
        return []

    def of_vectors(self, units: int) -> list[nn.Module]:
        return []

    def normalize_weights(self, critic: nn.Module) -> None:
        for layer in [m for m in critic.modules() if isinstance(m, WEIGHTED)]:
            parametrizations.spectral_norm(layer, "weight", n_power_iterations=1, eps=1e-12)
