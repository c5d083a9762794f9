"""Parts of the critics of ProGAN and its successors: widths, layers and head, with equalized weights."""

from dataclasses import dataclass

from torch import nn

from gans.batch_statistics.deviation import MinibatchDeviation
from gans.core.architecture import Blueprint
from gans.layers.equalized import EqualizedConvolution, EqualizedLinear
from gans.layers.labels import EqualizedEmbedding, critic_from_layers
from gans.layers.norms import dropout
from gans.layers.sizes import count_halvings, smallest_size
from losses.core.options import option

SLOPE = 0.2  # of the leaky ReLU below zero


@dataclass(frozen=True)
class WidthOptions:
    """Options of the widths of ProGAN's networks and their successors'."""

    widest: int = option(
        512,
        "Most channels: from --width at the image they double with each halving, up to this.",
        at_least=1,
        shapes_network=True,
    )


def widths_outwards(blueprint: Blueprint) -> list[int]:
    """Channel widths at every image size, from the smallest to the full one, for both networks.

    They are the published `base / side` up to a maximum, with base = width · side of the full size.
    """
    _, height, width = blueprint.sample_shape
    most = max((blueprint.options or WidthOptions()).widest, blueprint.width)
    return [min(blueprint.width * 2**i, most) for i in reversed(range(count_halvings(height, width) + 1))]


def activation_layers(
    blueprint: Blueprint, convolution: nn.Module, wide: int, activation: nn.Module | None = None
) -> list[nn.Module]:
    """A convolution to `wide` channels, critic norm, activation (leaky ReLU) and dropout.

    The papers have no norm and no dropout here.
    """
    return [
        convolution,
        *blueprint.critic_norm.of_maps(wide),
        activation or nn.LeakyReLU(SLOPE),
        *dropout(blueprint.critic_dropout),
    ]


def critic_head(blueprint: Blueprint, wide: int) -> nn.Module:
    """Builds the critic's last layers: `(N, wide, H, W)` at the smallest size → logits `(N,)`."""
    height, width = smallest_size(*blueprint.sample_shape[1:])
    statistic = (blueprint.minibatch_statistic or MinibatchDeviation)(wide * height * width)
    features = [
        statistic,
        *activation_layers(blueprint, EqualizedConvolution(wide + statistic.added, wide), wide),
        nn.Flatten(),
        EqualizedLinear(wide * height * width, wide),
        nn.LeakyReLU(SLOPE),
    ]
    vectors = EqualizedEmbedding(blueprint.classes, wide) if blueprint.classes else None
    return critic_from_layers(features, EqualizedLinear(wide, 1, gain=1.0), vectors)
