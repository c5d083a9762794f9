"""What generators with styles share: the mapping network, the mixing of styles, and noise."""

import torch
from torch import Tensor, nn

from gans.core.batch_statistics import PixelNorm
from gans.core.equalized import EqualizedLinear
from gans.core.game import StyledNetwork
from gans.core.labels import WithLabel

MAPPING_LAYERS = 8
MAPPING_RATE = 0.01  # of the learning rate (StyleGAN, appendix C)
MEAN_DECAY = 0.995  # of the running mean of w, a batch
SLOPE = 0.2


class Mapping(nn.Module):
    """z `(N, length)` → w: onto a sphere, then eight fully connected layers that learn slowly. With classes,
    a vector of the label stands behind z on the sphere, as in the authors' code."""

    def __init__(self, length: int, classes: int = 0) -> None:
        super().__init__()
        self.with_label = WithLabel(length, classes)
        layers: list[nn.Module] = [PixelNorm()]
        for inputs in [self.with_label.total, *[length] * (MAPPING_LAYERS - 1)]:
            layers += [EqualizedLinear(inputs, length, lr_multiplier=MAPPING_RATE), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.layers(self.with_label(z, *label))


def repeated(w: Tensor, styles: int) -> Tensor:
    """w `(N, w_dim)` for all layers, `(N, styles, w_dim)`; one that has a w for each is returned as it is."""
    return w.unsqueeze(1).expand(-1, styles, -1) if w.dim() == 2 else w


def mixed(network: StyledNetwork, probability: float, z: Tensor, *label: Tensor) -> Tensor:
    """The styles of a training batch, `(N, styles, w_dim)`: with that probability those of another latent
    of the same label, from a layer on that is drawn for the batch (StyleGAN, section 3.1). The running mean
    of w is kept."""
    w = network.map(z, *label)
    with torch.no_grad():
        network.mean.lerp_(w.mean(dim=0), 1 - MEAN_DECAY)
    styles = repeated(w, network.styles)
    # Drawn on the CPU, so that an accelerator is not waited for.
    if probability <= 0 or torch.rand(()).item() >= probability:
        return styles
    crossover = int(torch.randint(1, network.styles, ()))
    other = repeated(network.map(torch.randn_like(z), *label), network.styles)
    return torch.cat([styles[:, :crossover], other[:, crossover:]], dim=1)


class Noise(nn.Module):
    """Adds noise, one map for all channels, with learned scales: drawn anew while it trains, fixed else.

    Args:
        scales: how many; one for each channel, or 1 for all.
    """

    fixed: Tensor

    def __init__(self, scales: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(scales, 1, 1))
        self.register_buffer("fixed", torch.randn(1, 1, *size))

    def forward(self, x: Tensor) -> Tensor:
        return x + (torch.randn_like(x[:, :1]) if self.training else self.fixed) * self.scale


def truncated(network: StyledNetwork, w: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """`w̄ + ψ (w − w̄)` for the styles of the first `cutoff` layers, or of all (StyleGAN, appendix B).

    Args:
        w: `(N, w_dim)`.
        psi: 1 leaves w; 0 is the mean sample.

    Returns:
        Styles `(N, styles, w_dim)`.
    """
    styles = repeated(w, network.styles)
    near = torch.lerp(network.mean.expand_as(styles), styles, psi)
    return near if cutoff is None else torch.cat([near[:, :cutoff], styles[:, cutoff:]], dim=1)
