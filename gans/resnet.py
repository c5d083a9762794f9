"""Residual networks: the blocks of WGAN-GP and SNGAN (Gulrajani et al. 2017; Miyato et al. 2018).

32 pixels: the CIFAR-10 networks of WGAN-GP (appendix), 128 channels throughout; the critic is also SNGAN's
(Miyato et al. 2018, table 4), while SNGAN's generator has 256 channels. Above that: SNGAN's networks for
128 pixels (table 5), whose channels double from 64 beside the image to 1,024, with one block less for every
halving of the image. SNGAN's STL-10 networks of 48 pixels (table 6) are wider than what this gives.
"""

from itertools import pairwise
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from gans.core.architecture import Architecture, Blueprint
from gans.core.networks import LatentNetwork
from gans.layers.deterministic import LabelEmbedding
from gans.layers.folding import FoldableConvolution
from gans.layers.image_convolutions import ImageConv2d
from gans.layers.labels import Chain, TakesLabel, batch_norm, critic_from_layers
from gans.layers.norms import dropout
from gans.layers.sizes import count_halvings
from losses.recipe import defaults

FLAT_UP_TO = 32  # pixels: the longest side for which all layers have the same width
WIDEST = 16  # channels stop doubling at this multiple of the width (1,024 = 16 · 64)
RESIDUAL_GAIN = 2**0.5  # for a convolution that reads the output of a ReLU

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class Generator(LatentNetwork):
    """Residual generator: noise `(N, z_dim)` → images `(N, C, H, W)` in [−1, 1]."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        channels, height, width = blueprint.sample_shape
        widths = widths_inwards(blueprint)[::-1]
        self.base = (widths[0], height >> len(widths), width >> len(widths))
        self.project = initialize(nn.Linear(self.z_dim, self.base[0] * self.base[1] * self.base[2]))
        pairs = pairwise([widths[0], *widths])
        blocks = [upsampling_block(wide, narrow, self.classes) for wide, narrow in pairs]
        self.layers = Chain(
            *blocks,
            nn.BatchNorm2d(widths[-1]),
            nn.ReLU(inplace=True),
            convolution(widths[-1], channels, gain=1.0),
            nn.Tanh(),
        )

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.project.weight,)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.layers(self.project(z).view(-1, *self.base), *label)


def critic(blueprint: Blueprint) -> nn.Module:
    """Builds the residual critic: images `(N, C, H, W)` → logits `(N,)`; the first block has no norm."""
    widths = widths_inwards(blueprint)
    # The CIFAR-10 table halves twice and keeps 8×8 pixels in two more blocks; the other one halves
    # down to 4×4 and has one block there.
    halving, keeping = (widths[:2], 2) if is_flat(blueprint) else (widths, 1)
    wide = halving[-1]
    blocks: list[nn.Module] = [first_block(blueprint, halving[0])]
    blocks += [critic_block(blueprint, narrow, wide, halves=True) for narrow, wide in pairwise(halving)]
    blocks += [critic_block(blueprint, wide, wide, halves=False) for _ in range(keeping)]
    vectors = LabelEmbedding(blueprint.classes, wide) if blueprint.classes else None
    if vectors is not None:
        nn.init.xavier_uniform_(vectors.weight)
    logit = initialize(nn.Linear(wide, 1))
    return critic_from_layers([*blocks, *activation(blueprint), SumPool()], logit, vectors)


class SumPool(nn.Module):
    """Sum over pixels `(N, C, H, W)` → `(N, C)`, as in SNGAN."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(dim=(2, 3))


def is_flat(blueprint: Blueprint) -> bool:
    """Whether images are so small that all layers have the same width."""
    return max(blueprint.sample_shape[1:]) <= FLAT_UP_TO


def widths_inwards(blueprint: Blueprint) -> list[int]:
    """Channel widths at every scale, from the image inwards: one number for each halving."""
    _, height, width = blueprint.sample_shape
    growth = 1 if is_flat(blueprint) else 2
    return [blueprint.width * min(growth**i, WIDEST) for i in range(count_halvings(height, width))]


class ResidualSum(TakesLabel):
    """Residual block `x ↦ shortcut(x) + residual(x)`; an empty list of layers is the identity."""

    def __init__(self, shortcut: list[nn.Module], residual: list[nn.Module]) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(*shortcut)
        self.residual = Chain(*residual)

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x, *label)


def upsampling_block(wide: int, narrow: int, classes: int = 0) -> ResidualSum:
    """Builds the generator's block: `(N, wide, H, W)` → `(N, narrow, 2H, 2W)`.

    With classes, its norms are conditional, as in SNGAN's networks with labels (Miyato & Koyama 2018).
    """
    residual: list[nn.Module] = [
        batch_norm(wide, classes),
        nn.ReLU(inplace=True),
        EnlargingConvolution(convolution(wide, narrow, bias=False)),  # the norm that follows has a shift
        batch_norm(narrow, classes),
        nn.ReLU(inplace=True),
        convolution(narrow, narrow),
    ]
    # A 1×1 convolution and repeating pixels can change places; in this order it is four times cheaper.
    return ResidualSum(
        [convolution(wide, narrow, kernel_size=1, gain=1.0), nn.Upsample(scale_factor=2)], residual
    )


def first_block(blueprint: Blueprint, wide: int) -> ResidualSum:
    """Builds the critic's block beside the image: `(N, C, H, W)` → `(N, wide, H/2, W/2)`.

    An image is no feature map that a norm or a ReLU could follow ("optimized" block in both papers' code).
    """
    channels = blueprint.sample_shape[0]
    residual: list[nn.Module] = [convolution(channels, wide), nn.ReLU(inplace=True)]
    residual += [*dropout(blueprint.critic_dropout), PooledConvolution(convolution(wide, wide))]
    return ResidualSum([nn.AvgPool2d(2), convolution(channels, wide, kernel_size=1, gain=1.0)], residual)


def critic_block(blueprint: Blueprint, narrow: int, wide: int, *, halves: bool) -> ResidualSum:
    """Builds a block of the critic: `(N, narrow, H, W)` → `(N, wide, H/2, W/2)`.

    Without `halves` it keeps the size, and `wide` is `narrow`.
    """
    has_shift = bool(blueprint.critic_norm.of_maps(1))  # a norm's own shift makes a bias useless
    second = convolution(narrow, wide)
    residual = activation(blueprint, narrow)
    residual += [convolution(narrow, narrow, bias=not has_shift)]
    residual += activation(blueprint, narrow)
    if not halves:
        return ResidualSum([], [*residual, second])
    # A 1×1 convolution and the mean of pixels can change places; in this order it is four times cheaper.
    shortcut = [nn.AvgPool2d(2), convolution(narrow, wide, kernel_size=1, gain=1.0)]
    return ResidualSum(shortcut, [*residual, PooledConvolution(second)])


def activation(blueprint: Blueprint, channels: int = 0) -> list[nn.Module]:
    """The critic's norm over `channels` (none for 0), ReLU and dropout."""
    norms = blueprint.critic_norm.of_maps(channels) if channels else []
    # Without a norm between them, what the first ReLU of a block reads is what the shortcut reads too: to
    # write over it would make the shortcut lose its sign.
    return [*norms, nn.ReLU(inplace=bool(norms)), *dropout(blueprint.critic_dropout)]


class EnlargingConvolution(FoldableConvolution):
    """A 3×3 convolution of an image that is enlarged twofold by nearest neighbours.

    An output pixel sees at most 2×2 different pixels of the small image, so the same function is a strided
    4×4 convolution, transposed, with 4/9 of the products.
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = sum_shifted_kernels(self.convolution.weight).flip(2, 3).transpose(0, 1)
        return conv_transpose2d(x, weight, self.convolution.bias, stride=2, padding=1)


class PooledConvolution(FoldableConvolution):
    """A 3×3 convolution followed by the mean over 2×2 pixels, at stride 2.

    The mean of four shifted convolutions is a strided 4×4 convolution with the mean of four shifted kernels:
    the same function with 4/9 of the products.
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = sum_shifted_kernels(self.convolution.weight) / 4
        return conv2d(x, weight, self.convolution.bias, stride=2, padding=1)


def sum_shifted_kernels(weight: Tensor) -> Tensor:
    """Converts 3×3 kernels to the 4×4 kernels that sum them over the four positions in a 2×2 square."""
    padded = pad(weight, (1, 1, 1, 1))
    rows = padded[..., 1:, :] + padded[..., :-1, :]
    return rows[..., 1:] + rows[..., :-1]


def convolution(
    narrow: int, wide: int, *, kernel_size: int = 3, gain: float = RESIDUAL_GAIN, bias: bool = True
) -> nn.Conv2d:
    """A convolution that keeps the size, with the papers' initial weights."""
    return initialize(ImageConv2d(narrow, wide, kernel_size, padding=kernel_size // 2, bias=bias), gain)


def initialize(layer: Layer, gain: float = 1.0) -> Layer:
    """Initializes a layer: Glorot's uniform weights times a gain, biases 0.

    The gain is √2 in residual branches and 1 elsewhere (the code of both papers).
    """
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


architecture = Architecture(
    paper="Gulrajani et al. 2017, arXiv:1704.00028; Miyato et al. 2018, arXiv:1802.05957",
    generator=Generator,
    critic=critic,
    takes_labels=True,
    counted_from_end=("critic",),
    data=("images",),
    default_loss="hinge",
    default_data="shapes",
    departures="""
        * SNGAN's generator for CIFAR-10 has 256 channels, twice the critic's; here `--width` is that of both.
        * At 32 pixels the critic sums features over pixels, as SNGAN's; WGAN-GP's takes their mean.
        * SNGAN's networks of 48 pixels for STL-10 are wider than what this gives.
        * Between two resamplings and convolutions the order is the cheaper one; the functions are the same.
        * Rates and batches are those of the loss: [hinge](../losses/hinge.md) has what differs from SNGAN's.
    """,
    settings=(
        # SNGAN: 50,000 updates of the generator, each after 5 batches of 64.
        defaults(z_dim=128, width=64, batch_size=64, image_size=(32, 32), kimg=16_000.0),
        defaults(up_to=FLAT_UP_TO, width=128),
        defaults(preset="laptop", z_dim=64, width=32, batch_size=16, image_size=(32, 32), kimg=200.0),
    ),
)
