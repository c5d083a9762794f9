"""R3GAN: plain residual networks of grouped convolutions, without normalization (Huang et al. 2024).

Config E of the paper. Generator and critic are mirror images: at every scale two bottleneck
blocks, between scales a bilinear filter, and at the smallest one a learned basis in place of a dense layer.
At initialization every block is the identity.

`--width` is the number of channels at all scales up to 32 pixels; beyond that it is halved with every
doubling, so that the paper's 768 gives 768 throughout for CIFAR-10, 384 beside an image of 64 pixels
and 96 beside one of 256. ImageNet's networks are wider at 64 pixels, and have groups of 32 channels.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import gcd, prod
from typing import TypeVar

import torch
from torch import Tensor, nn

from gans.core.architecture import Architecture, Blueprint
from gans.core.networks import LatentNetwork
from gans.core.presets.r3gan import PRESETS
from gans.layers.deterministic import LabelEmbedding
from gans.layers.labels import LabelledChain, WithLabel
from gans.layers.norms import CriticNorm, dropout
from gans.layers.recomputation import RecomputableBlock
from gans.layers.resample import Downsample, Upsample
from gans.layers.sizes import count_halvings, smallest_size
from gans.norms.none import NoNorm
from losses.core.options import option
from losses.recipe import defaults

NO_NORM = NoNorm()
SLOPE = 0.2  # of the leaky ReLU below zero
GAIN = (2 / (1 + SLOPE**2)) ** 0.5  # keeps the second moment through a leaky ReLU (He et al. 2015)

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear, nn.Embedding)


@dataclass(frozen=True)
class R3GANOptions:
    """Options of R3GAN's networks (section 4)."""

    blocks_per_scale: int = option(2, "Residual blocks at each size.", at_least=1, shapes_network=True)
    expansion: int = option(
        2,
        "Channels of the grouped convolution, as a multiple of the block's.",
        at_least=1,
        shapes_network=True,
    )
    group_width: int = option(16, "Channels in a group of the convolution.", at_least=1, shapes_network=True)
    full_width_up_to: int = option(
        32,
        "Pixels on the longer side up to which layers have the full width; it halves beyond.",
        at_least=4,
        shapes_network=True,
    )


class Generator(LatentNetwork):
    """R3GAN generator: noise `(N, z_dim)` → images `(N, C, H, W)`.

    As in the paper the last layer is linear: while it trains, the critic sees what lies beyond [−1, 1]. In
    evaluation mode images are cut to that range, as those of other architectures are within it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        widths = widths_inwards(blueprint)[::-1]
        self.with_label = WithLabel(self.z_dim, self.classes)
        if self.with_label.vectors is not None:
            initialize_vectors(self.with_label.vectors)
        self.basis = GenerativeBasis(
            self.with_label.total, widths[0], smallest_size(*blueprint.sample_shape[1:])
        )
        options = blueprint.options or R3GANOptions()
        layers: list[nn.Module] = [*scale_blocks(widths[0], len(widths), options)]
        for wide, narrow in pairwise(widths):
            layers += [*width_change(wide, narrow), Upsample(), *scale_blocks(narrow, len(widths), options)]
        layers += [PixelwiseConvolution(widths[-1], blueprint.sample_shape[0])]
        self.layers = nn.Sequential(*layers)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.basis.strengths.weight[:, : self.z_dim],)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        images: Tensor = self.layers(self.basis(self.with_label(z, *label)))
        return self.bound(images)


def critic(blueprint: Blueprint) -> nn.Module:
    """Builds the R3GAN critic: images `(N, C, H, W)` → logits `(N,)`.

    Norms, where asked for, stand before the activations of the blocks; dropout stands behind the blocks of
    each scale, since what a block adds is nothing at first.
    """
    widths, options = widths_inwards(blueprint), blueprint.options or R3GANOptions()

    def scale(channels: int) -> list[nn.Module]:
        same = scale_blocks(channels, len(widths), options, blueprint.critic_norm)
        return [*same, *dropout(blueprint.critic_dropout)]

    layers: list[nn.Module] = [
        PixelwiseConvolution(blueprint.sample_shape[0], widths[0]),
        *scale(widths[0]),
    ]
    for narrow, wide in pairwise(widths):
        layers += [Downsample(), *width_change(narrow, wide), *scale(wide)]
    # The discriminative basis: an inner product with a learned pattern per channel.
    wide = widths[-1]
    basis = nn.Conv2d(wide, wide, smallest_size(*blueprint.sample_shape[1:]), groups=wide, bias=False)
    layers += [initialize(basis), nn.Flatten()]
    if blueprint.classes:
        return LabelCritic(nn.Sequential(*layers), wide, blueprint.classes)
    return nn.Sequential(*layers, initialize(nn.Linear(wide, 1, bias=False)), nn.Flatten(start_dim=0))


class LabelCritic(LabelledChain):
    """Critic `C(x, y) = ⟨W φ(x), vector(y)⟩`: an inner product with the label's vector, and nothing else."""

    def __init__(self, features: nn.Module, wide: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.project = initialize(nn.Linear(wide, wide, bias=False))
        self.vectors = initialize_vectors(LabelEmbedding(classes, wide), gain=wide**-0.5)

    @property
    def chain(self) -> list[nn.Module]:
        return [*self.features.children()]

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return (self.project(self.features(x)) * self.vectors(label)).sum(dim=1)


class GenerativeBasis(nn.Module):
    """Learned basis `(N, z_dim)` → `(N, channels, H, W)`: a pattern a channel, times a linear map of `z`."""

    def __init__(self, z_dim: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.patterns = nn.Parameter(torch.randn(1, channels, *size))
        self.strengths = initialize(nn.Linear(z_dim, channels, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        return self.strengths(z)[:, :, None, None] * self.patterns


class BottleneckBlock(RecomputableBlock):
    """Residual block `x ↦ x + residual(x)` with an inverted bottleneck (the paper's figure 2c).

    The residual is a 1×1 convolution to twice the channels, a 3×3 one in groups, and a 1×1 one back.

    Args:
        channels: of the skip path.
        gain: of the first two layers' initial weights.
        last_gain: of the last layer's; 0 makes the block the identity.
        options: expansion and groups of the residual.
        critic_norm: normalization between a layer and its activation.
    """

    def __init__(
        self, channels: int, gain: float, last_gain: float, options: R3GANOptions, critic_norm: CriticNorm
    ) -> None:
        super().__init__()
        inner = options.expansion * channels
        groups = inner // gcd(inner, options.group_width)  # narrow networks have what their width allows
        has_shift = bool(critic_norm.of_maps(1))  # a norm's own shift makes a bias useless
        self.residual = nn.Sequential(
            PixelwiseConvolution(channels, inner, gain=gain, bias=not has_shift),
            *critic_norm.of_maps(inner),
            LeakyReLU(),
            initialize(nn.Conv2d(inner, inner, 3, padding=1, groups=groups, bias=not has_shift), gain),
            *critic_norm.of_maps(inner),
            LeakyReLU(),
            PixelwiseConvolution(inner, channels, gain=last_gain),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


def scale_blocks(
    channels: int, scales: int, options: R3GANOptions, critic_norm: CriticNorm = NO_NORM
) -> list[nn.Module]:
    """Builds the residual blocks of one scale, for a network of `scales` scales."""
    # Fix-up initialization (Zhang et al. 2019): with L blocks of m = 3 layers, L^(−1/(2m−2)) on all but the
    # last layer, which starts at zero.
    gain = GAIN * (options.blocks_per_scale * scales) ** (-1 / 4)
    # Spectral norm divides by the length of the weights, so there they cannot be zeros.
    last_gain = gain if critic_norm.normalizes_weights else 0.0
    return [
        BottleneckBlock(channels, gain, last_gain, options, critic_norm)
        for _ in range(options.blocks_per_scale)
    ]


class LeakyReLU(nn.Module):
    """Leaky ReLU `max(x, 0.2 x)`, whose slopes are constants for automatic differentiation.

    It is a product of the input with these slopes.

    PyTorch's own layer has a second derivative, which is zero everywhere: a gradient penalty would carry
    these zeros backwards through the whole network.
    """

    def forward(self, x: Tensor) -> Tensor:
        slopes = x.detach().sign().mul_((1 - SLOPE) / 2).add_((1 + SLOPE) / 2)
        return x * slopes


def width_change(before: int, after: int) -> list[nn.Module]:
    """A 1×1 convolution where the next scale has another width, else no layer.

    It stands beside the smaller image.
    """
    return [] if before == after else [PixelwiseConvolution(before, after)]


class PixelwiseConvolution(nn.Module):
    """A 1×1 convolution `(N, before, H, W)` → `(N, after, H, W)`, as a linear map of every pixel's channels.

    Matrix products have quick derivatives of all orders. Of a convolution the second derivative, which a
    gradient penalty needs, takes ten times as long as the first on a CPU.
    """

    def __init__(self, before: int, after: int, *, gain: float = 1.0, bias: bool = False) -> None:
        super().__init__()
        self.linear = initialize(nn.Linear(before, after, bias=bias), gain)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def initialize(layer: Layer, gain: float = 1.0) -> Layer:
    """Initializes a layer: weights ~ N(0, gain² / fan in), biases 0."""
    nn.init.normal_(layer.weight, 0.0, gain / prod(layer.weight.shape[1:]) ** 0.5)
    if not isinstance(layer, nn.Embedding) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def initialize_vectors(vectors: nn.Embedding, gain: float = 1.0) -> nn.Embedding:
    """Initializes vectors of labels as a linear layer of one-hot vectors: N(0, gain² / classes)."""
    nn.init.normal_(vectors.weight, 0.0, gain / vectors.num_embeddings**0.5)
    return vectors


def widths_inwards(blueprint: Blueprint) -> list[int]:
    """Channel widths at every scale, from the image inwards: one number more than there are halvings."""
    _, height, width = blueprint.sample_shape
    sides = [max(height, width) >> i for i in range(count_halvings(height, width) + 1)]
    up_to = (blueprint.options or R3GANOptions()).full_width_up_to
    doublings = [((side - 1) // up_to).bit_length() for side in sides]
    return [max(1, blueprint.width >> count) for count in doublings]


architecture = Architecture(
    paper="Huang et al. 2024, arXiv:2501.05441, config E",
    generator=Generator,
    critic=critic,
    takes_labels=True,
    counted_from_end=("critic",),
    options_type=R3GANOptions,
    data=("images",),
    default_loss="r3gan",
    default_data="shapes",
    presets=PRESETS,
    departures="""
        * The generator's step compares with the critic's real samples, the authors' code with fresh ones: a
          step shows each image once, and `kimg` counts it.
        * For 128 pixels nothing is published; `paper` has γ 150 there, as at 256.
    """,
    settings=(
        # Sizes, batches, lengths and γ of table 9, and its burn-in, are in the presets.
        defaults(z_dim=64, width=768, image_size=(32, 32)),
        defaults(
            optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.0, 0.99), lr_schedule="cosine"
        ),
        defaults(preset="laptop", width=16, batch_size=8, image_size=(32, 32), kimg=24.0, ema_kimg=10.0),
        defaults(preset="laptop", lr_generator=2e-3, lr_critic=2e-3),
        # Table 9's γ for Stacked MNIST: with CIFAR-10's the critic outruns a generator of this width.
        defaults(preset="laptop", losses=("r3gan",), penalty_weight=1.0),
    ),
)
