"""Spectral normalization: divides every weight by its largest singular value (SNGAN, Miyato et al. 2018)."""

from typing import Any, ClassVar, cast

from torch import nn
from torch.nn.utils import parametrizations

from gans.layers.equalized import EqualizedConvolution, EqualizedLinear
from gans.layers.labels import EqualizedEmbedding
from gans.layers.norms import CriticNorm
from losses.core.batch_parts import is_first_pass

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
            (estimate,) = cast(nn.ModuleDict, layer.parametrizations)["weight"].children()
            estimate.register_forward_pre_hook(_freeze_power_iteration)
            estimate.register_forward_hook(_resume_power_iteration)


def _freeze_power_iteration(estimate: nn.Module, inputs: Any) -> None:
    """Leaves out the power iteration in all passes of an update but the first."""
    if not is_first_pass():  # only networks that train are computed in passes
        estimate.eval()


def _resume_power_iteration(estimate: nn.Module, inputs: Any, weight: Any) -> None:
    """Lets the power iteration go on."""
    if not is_first_pass():
        estimate.train()
