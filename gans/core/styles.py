"""Parts of style-based generators: the mapping network, style mixing, noise and truncation."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gans.core.networks import StyledNetwork
from gans.layers.equalized import EqualizedLinear, ScaledLeakyReLU
from gans.layers.labels import LabelLinear, WithLabel
from gans.layers.norms import PixelNorm
from losses.core.batch_parts import draw_like, move_mean
from losses.core.options import option
from losses.core.precision import in_full_precision
from losses.core.ranks import mean_over_ranks

SLOPE = 0.2
MEAN_LATENTS = 4096  # over which the mean of w of a class is taken


@dataclass(frozen=True)
class StyleOptions:
    """Options of style-based generators (StyleGAN, section 2 and appendix C)."""

    style_mixing: float = option(
        0.9,
        "Probability that a training batch mixes the styles of two latents.",
        at_least=0.0,
        at_most=1.0,
        is_schedulable=True,
    )
    mapping_layers: int = option(8, "Layers of the mapping network.", at_least=1, shapes_network=True)
    mapping_rate: float = option(
        0.01,
        "Learning rate of the mapping network, as a share of the generator's.",
        above=0.0,
        shapes_network=True,
    )
    w_mean_decay: float = option(
        0.995, "Decay of the running mean of w, for each batch.", at_least=0.0, below=1.0, is_schedulable=True
    )


class MappingNetwork(nn.Module):
    """Mapping network z `(N, length)` → w: pixel norm, then linear layers with a low learning rate.

    With classes, an embedding of the label is appended to z before the norm, as in the authors' code.
    """

    def __init__(self, length: int, classes: int, options: StyleOptions) -> None:
        super().__init__()
        self.with_label = WithLabel(length, classes)
        layers: list[nn.Module] = [PixelNorm()]
        for inputs in [self.with_label.total, *[length] * (options.mapping_layers - 1)]:
            layers += [
                EqualizedLinear(inputs, length, lr_multiplier=options.mapping_rate),
                nn.LeakyReLU(SLOPE),
            ]
        self.layers = nn.Sequential(*layers)

    @in_full_precision
    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.layers(self.with_label(z, *label))


class StyleGAN2Mapping(nn.Module):
    """Mapping network of StyleGAN2: z `(N, z_dim)` → w, as in its authors' code.

    With classes, z and the embedded label are normalized apart, then joined. A critic maps the label alone.

    Args:
        z_dim: length of the latent; 0 for none.
        classes: how many; 0 for none.
        w_dim: length of w, and of the embedding.
        layers: how many.
        rate: learning rate, as a share of the network's.
    """

    def __init__(self, z_dim: int, classes: int, w_dim: int, layers: int = 8, rate: float = 0.01) -> None:
        super().__init__()
        self.classes = classes
        self.embed = LabelLinear(classes, w_dim, gain=1.0) if classes else None
        self.normalize = PixelNorm()
        lengths = [z_dim + (w_dim if classes else 0), *[w_dim] * layers]
        linear = (EqualizedLinear(*pair, gain=1.0, lr_multiplier=rate) for pair in pairwise(lengths))
        self.layers = nn.Sequential(*(part for layer in linear for part in (layer, ScaledLeakyReLU())))

    @in_full_precision
    def forward(self, *inputs: Tensor) -> Tensor:
        """Maps z, z and labels `(N,)`, or labels alone, to `(N, w_dim)`."""
        parts = list(inputs)
        if self.embed is not None:
            parts[-1] = self.embed(one_hot(inputs[-1], self.classes).to(self.embed.weight))
        return self.layers(torch.cat([self.normalize(part) for part in parts], dim=1))


def repeat_styles(w: Tensor, styles: int) -> Tensor:
    """Repeats w `(N, w_dim)` for all layers, `(N, styles, w_dim)`; returns w of that shape as it is."""
    return w.unsqueeze(1).expand(-1, styles, -1) if w.dim() == 2 else w


def mix_styles(network: StyledNetwork, options: StyleOptions, z: Tensor, *label: Tensor) -> Tensor:
    """Maps latents to the styles of a training batch, `(N, styles, w_dim)`, with style mixing.

    With probability `style_mixing`, the styles from a random layer on are those of another latent of the same
    label (StyleGAN, section 3.1). The running mean of w is updated.
    """
    w = network.map(z, *label)
    with torch.no_grad():  # moved by the first latent only
        move_mean(network.mean, mean_over_ranks(w.mean(dim=0)), 1 - options.w_mean_decay)
    styles = repeat_styles(w, network.styles)
    # Drawn on the CPU, so that an accelerator is not waited for.
    if options.style_mixing <= 0 or torch.rand(()).item() >= options.style_mixing:
        return styles
    crossover = int(torch.randint(1, network.styles, ()))
    other = repeat_styles(network.map(draw_like(torch.randn_like, z), *label), network.styles)
    return torch.cat([styles[:, :crossover], other[:, crossover:]], dim=1)


NoiseMode = Literal["auto", "const", "random", "none"]


class Noise(nn.Module):
    """Adds noise with learned scales to feature maps; all channels have the same map of noise.

    Args:
        scales: number of scales: one for each channel, or 1 for all.

    Attributes:
        mode: `random` draws noise anew, `const` has the fixed one, `none` adds nothing, and `auto` is
            `random` in training and `const` in evaluation mode.
    """

    fixed: Tensor
    mode: NoiseMode = "auto"

    def __init__(self, scales: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(scales, 1, 1))
        self.register_buffer("fixed", torch.randn(1, 1, *size))

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "none":
            return x
        is_random = self.training if self.mode == "auto" else self.mode == "random"
        noise = draw_like(torch.randn_like, x[:, :1]) if is_random else self.fixed
        return x + noise * self.scale


def set_noise_mode(network: nn.Module, mode: NoiseMode) -> None:
    """Sets the mode of all noise in a network."""
    for part in network.modules():
        if isinstance(part, Noise):
            part.mode = mode


@torch.no_grad()
def class_means(network: StyledNetwork, labels: Tensor) -> Tensor:
    """Means of w of the classes of `labels` (int64, `(N,)`), `(N, w_dim)`.

    The running mean of training is one of all classes, towards which every class would become the same
    sample. These are over MEAN_LATENTS latents, the same for all classes and calls.
    """
    random = torch.Generator().manual_seed(0)
    z = torch.randn(MEAN_LATENTS, network.z_dim, generator=random).to(network.mean)
    known = {
        label: network.map(z, labels.new_full((len(z),), label)).mean(dim=0) for label in set(labels.tolist())
    }
    return torch.stack([known[label] for label in labels.tolist()])


def truncate_styles(
    network: StyledNetwork, w: Tensor, psi: float, cutoff: int | None = None, mean: Tensor | None = None
) -> Tensor:
    """Truncates styles: `w̄ + ψ (w − w̄)` in the first `cutoff` layers, or all (StyleGAN, appendix B).

    Args:
        w: `(N, w_dim)`.
        psi: 1 leaves w; 0 is the mean sample.
        mean: w̄ of each sample, `(N, w_dim)`, such as that of its class; None for the running mean.

    Returns:
        Styles `(N, styles, w_dim)`.
    """
    styles = repeat_styles(w, network.styles)
    centre = network.mean if mean is None else mean[:, None]
    near = torch.lerp(centre.expand_as(styles), styles, psi)
    return near if cutoff is None else torch.cat([near[:, :cutoff], styles[:, cutoff:]], dim=1)
