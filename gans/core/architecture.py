"""An architecture: a frozen recipe that names the paper, the networks, the game and its defaults."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from torch import nn

from gans.core.attributes import AttributeGroup
from gans.core.contest import Rules
from gans.core.duel import Duel
from gans.core.game import Game, GeneratorNetwork
from losses.recipe import Defaults

Task = Literal["noise", "pairs", "domains", "attributes"]


@dataclass(frozen=True)
class Blueprint:
    """What networks are built from.

    Attributes:
        sample_shape: `(C, H, W)` for images in [−1, 1], `(2,)` for points.
        z_dim: length of the latent vector.
        width: channels of the widest layer beside the image, or units of a hidden layer.
        critic_norm: normalization in the critic: a key of `gans.core.norms.NORMS`. Spectral norm is put on
            the weights of the finished critic, and asks nothing of an architecture.
        critic_dropout: probability with which the critic drops hidden features while it trains.
        style_mixing: probability with which a generator with styles takes those of two latents.
        minibatch_statistic: what the critic is told of the batch that a sample is in: a key of
            `gans.core.batch_statistics.STATISTICS`; None for the architecture's own.
        classes: whose labels both networks are told; 0 for none.
        attributes: what is known of every image, for generators that change it.
    """

    sample_shape: tuple[int, ...]
    z_dim: int
    width: int
    critic_norm: str = "none"
    critic_dropout: float = 0.0
    style_mixing: float = 0.0
    classes: int = 0
    attributes: tuple[AttributeGroup, ...] = ()
    minibatch_statistic: str | None = None

    @property
    def is_image(self) -> bool:
        return len(self.sample_shape) == 3

    @property
    def sample_size(self) -> int:
        """Numbers in one sample."""
        return prod(self.sample_shape)


@dataclass(frozen=True)
class Architecture:
    """A pluggable generator/critic pair.

    `generator` and `critic` raise ValueError, with one line that names the offender and what is allowed,
    for a blueprint that they cannot build.

    Attributes:
        paper: where it was published.
        generator: builds the network that makes samples.
        critic: builds the network that judges them.
        takes_labels: whether both can be built for classes, and then take labels `(N,)` as well.
        data: kinds of data that it can make ("images", "points").
        task: what a generator starts from: noise, one image of each pair, images of either of two domains,
            or images whose attributes it changes.
        default_loss: the loss of `gans run --arch NAME` alone.
        default_data: the embedded data of `gans run --arch NAME` alone.
        settings: its own defaults.
        critic_norm: the critic's normalization where neither the loss nor the user asks for another.
        game: brings the networks and the rules together.
    """

    paper: str
    generator: Callable[[Blueprint], GeneratorNetwork]
    critic: Callable[[Blueprint], nn.Module]
    data: tuple[str, ...]
    default_loss: str
    default_data: str
    settings: tuple[Defaults, ...]
    critic_norm: str = "none"
    takes_labels: bool = False
    task: Task = "noise"
    game: Callable[[Any, nn.Module, Rules], Game] = Duel
