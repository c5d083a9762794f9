"""The contract of architectures: paper, networks, game and default settings of one, as a frozen record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

from torch import nn

from gans.core.attributes import AttributeGroup
from gans.core.duel import Duel
from gans.core.game import Game
from gans.core.networks import GeneratorNetwork
from gans.core.objective import LossSpec
from gans.layers.batch_statistics import MinibatchStatistic
from gans.layers.norms import CriticNorm
from gans.norms.none import NoNorm
from losses.core.options import NoOptions
from losses.recipe import Defaults, Preset

Task = Literal["noise", "pairs", "domains", "attributes"]

# Presets of every architecture.
USUAL_PRESETS = {
    "auto": "laptop on a CPU, else paper",
    "paper": "the scale of the paper",
    "laptop": "the smallest scale that shows the idea",
}


@dataclass(frozen=True)
class Blueprint:
    """Specification of both networks: sample shape, width, latent size, conditioning and critic norm.

    Attributes:
        sample_shape: `(C, H, W)` for images in [−1, 1], `(2,)` for points.
        z_dim: length of the latent vector.
        width: channels of the widest layer beside the image, or units of a hidden layer.
        critic_norm: normalization in the critic: `of_maps(channels)` or `of_vectors(units)` between its
            layers.
        critic_dropout: probability with which the critic drops hidden features while it trains.
        classes: number of classes whose labels both networks take; 0 for none.
        attributes: groups of image attributes, for generators that change them.
        minibatch_statistic: makes the critic's minibatch statistic layer, given the number of features of a
            sample; None for the architecture's own.
        options: the architecture's own, an instance of its `options_type`; None for their defaults.
    """

    sample_shape: tuple[int, ...]
    z_dim: int
    width: int
    critic_norm: CriticNorm = field(default_factory=NoNorm)
    critic_dropout: float = 0.0
    classes: int = 0
    attributes: tuple[AttributeGroup, ...] = ()
    minibatch_statistic: Callable[[int], MinibatchStatistic] | None = None
    options: Any = None

    @property
    def is_image(self) -> bool:
        """Whether samples are images; else they are points."""
        return len(self.sample_shape) == 3

    @property
    def sample_size(self) -> int:
        """Number of values in one sample."""
        return prod(self.sample_shape)


@dataclass(frozen=True)
class Architecture:
    """An architecture plug-in: a generator, a critic, the game that trains them, and default settings.

    `generator` and `critic` raise ValueError, with one line that names the offender and what is allowed,
    for a blueprint that they cannot build.

    Attributes:
        paper: where it was published.
        generator: builds the network that makes samples.
        critic: builds the network that maps samples to logits.
        minibatch_statistic: the minibatch statistic of its critic where the user asks for no other; None for
            a critic without one.
        takes_labels: whether both networks can be class-conditional, and then take labels `(N,)` as well.
        data: kinds of data that it can make ("images", "points").
        task: what a generator starts from: noise, one image of each pair, images of either of two domains,
            or images whose attributes it changes.
        default_loss: the loss of `gans run --arch NAME` alone.
        default_data: the embedded data of `gans run --arch NAME` alone.
        settings: its own defaults.
        presets: published configurations by the name after `--preset`.
        critic_norm: the critic's normalization where neither the loss nor the user asks for another.
        game: brings the networks and the loss together.
        options_type: dataclass of the architecture's own options (losses/core/options.py).
        revision: goes up when the same weights make other samples, or are named otherwise.
        earlier_options: earlier revision → the options with which its generators make the samples that they
            made. Their training is not gone on with; that of revisions that are missing here is.
        has_earlier_critics: whether critics of those revisions are what they were.
        counted_from_end: lists and sequences of layers of which the last, not the first, has the same place
            at all image sizes, such as those that are counted from the image: "critic.blocks", or "critic"
            for one that is a sequence itself. A run that begins from weights matches layers so.
        renamed_keys: old prefix of keys in `state_dict` → the present one, for weights of earlier versions.
        departures: list, in Markdown, of what differs from the paper or its authors' code, but for the laptop
            preset; "" where a comparison found nothing, None where nobody has compared.
    """

    paper: str
    generator: Callable[[Blueprint], GeneratorNetwork]
    critic: Callable[[Blueprint], nn.Module]
    data: tuple[str, ...]
    default_loss: str
    default_data: str
    settings: tuple[Defaults, ...]
    presets: Mapping[str, Preset] = field(default_factory=dict)
    critic_norm: str = "none"
    minibatch_statistic: str | None = None
    takes_labels: bool = False
    task: Task = "noise"
    game: Callable[[Any, nn.Module, LossSpec], Game] = Duel
    options_type: type = NoOptions
    revision: int = 1
    earlier_options: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    has_earlier_critics: bool = False
    renamed_keys: Mapping[str, str] = field(default_factory=dict)
    counted_from_end: tuple[str, ...] = ()
    departures: str | None = None

    def describe_presets(self) -> dict[str, str]:
        """One line of every preset that `--preset` takes, by name."""
        own = {name: each.summary for name, each in self.presets.items()}
        unnamed = {each.preset for each in self.settings if each.preset} - own.keys() - USUAL_PRESETS.keys()
        return USUAL_PRESETS | own | dict.fromkeys(sorted(unnamed), "")
