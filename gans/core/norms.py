"""What stands between a critic's layers: normalization and dropout, by name or strength."""

from collections.abc import Callable

from torch import nn
from torch.nn.utils import parametrizations

from gans.core.equalized import EqualizedConvolution, EqualizedLinear
from gans.core.labels import EqualizedEmbedding

# Layer norm over (C, H, W) is a group norm with one group, which needs no fixed size.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": lambda channels: nn.BatchNorm2d(channels),
    "layer": lambda channels: nn.GroupNorm(num_groups=1, num_channels=channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}
FLAT_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": lambda units: nn.BatchNorm1d(units),
    "layer": lambda units: nn.LayerNorm(units),
}
WEIGHTED = (
    *(nn.Conv2d, nn.Linear, nn.ConvTranspose2d, nn.Embedding),
    *(EqualizedConvolution, EqualizedLinear, EqualizedEmbedding),
)
BETWEEN_NO_LAYERS = ("none", "spectral")  # spectral norm acts on weights


def norm(name: str, channels: int) -> list[nn.Module]:
    """Normalization of feature maps `(N, C, H, W)`: one layer, or none."""
    return [] if name in BETWEEN_NO_LAYERS else [NORMS[name](channels)]


def flat_norm(name: str, units: int) -> list[nn.Module]:
    """Normalization of vectors `(N, units)`: one layer, or none. Raises ValueError where the name needs
    feature maps."""
    if name in BETWEEN_NO_LAYERS:
        return []
    if name not in FLAT_NORMS:
        known = ", ".join((*BETWEEN_NO_LAYERS, *FLAT_NORMS))
        raise ValueError(f"{name} norm needs feature maps; for vectors there are: {known}")
    return [FLAT_NORMS[name](units)]


def dropout(probability: float) -> list[nn.Module]:
    """Drops each feature with that probability: one layer, or none."""
    return [nn.Dropout(probability)] if probability > 0 else []


def spectral_norm(network: nn.Module) -> None:
    """Divides the weight of every convolution, linear layer and table of labels' vectors by its largest
    singular value, estimated by one step of power iteration in each update (Miyato et al. 2018, algorithm 1).
    """
    layers = [m for m in network.modules() if isinstance(m, WEIGHTED)]
    for layer in layers:
        parametrizations.spectral_norm(layer, "weight", n_power_iterations=1, eps=1e-12)
