"""The pair of networks that a hand-written training loop trains, and the contract of such loops."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import Adam

from experiments.config.resolve import resolve
from experiments.training.experiment import Experiment, build

READY = 32  # batches of real images that wait in memory
WatchCallback = Callable[..., None]  # (player, loss, factor), before the step


def watch_nothing(player: str, loss: Tensor, factor: float = 1.0) -> None:
    """Does nothing: a loop that is timed is not watched."""


class Draws:
    """Random numbers of a loop, drawn anew for each call."""

    def latents(self, rows: int, z_dim: int, like: Tensor) -> Tensor:
        """Draws latents `(rows, z_dim)`."""
        return torch.randn(rows, z_dim, dtype=like.dtype)

    def shares(self, like: Tensor) -> Tensor:
        """Draws the share of the real sample in each interpolate, `(N, 1, …)`."""
        return torch.rand(len(like), *[1] * (like.dim() - 1), dtype=like.dtype)

    def pictures(self, like: Tensor) -> Tensor:
        """Draws images of noise in the shape of others."""
        return torch.randn_like(like)


@dataclass
class Pair:
    """A generator and a critic with their optimizers, and an endless stream of batches of real images.

    Attributes:
        experiment: the experiment that the networks are taken from; its settings and game.
        z_dim: length of the latents.
        n_critic: critic updates per generator update.
        weight: λ of the gradient penalty; 0 for none, which is a GAN with cross entropy.
        draws: random numbers.
        watch: called with (player, loss, factor of the loss) after each backward pass of an update.
    """

    experiment: Experiment
    generator: nn.Module
    critic: nn.Module
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer
    batches: Iterator[Tensor]
    z_dim: int
    n_critic: int
    weight: float
    draws: Draws = field(default_factory=Draws)
    watch: WatchCallback = watch_nothing

    def latents(self, like: Tensor) -> Tensor:
        """Draws as many latents as the batch has."""
        return self.draws.latents(len(like), self.z_dim, like)


def make_pair(flags: Mapping[str, Any], layout: torch.memory_format, **optimizer: Any) -> Pair:
    """Makes a pair of networks, with the weights that the laboratory gives them, outside of it.

    Args:
        flags: of `gans run`.
        layout: memory format of networks and images.
        optimizer: further options of Adam.
    """
    experiment = build(resolve({"device": "cpu", **flags}))
    settings, loader = experiment.spec.settings, experiment.loader
    networks = experiment.game.generator_network, experiment.game.critic_network
    for network in networks:
        network.to(memory_format=layout).requires_grad_(True)
    first, second = (
        Adam(
            network.parameters(),
            lr=player.full_rates[0],
            betas=player.optimizer.param_groups[0]["betas"],
            **optimizer,
        )
        for network, player in zip(networks, experiment.players, strict=True)
    )
    batches = [loader.next_batch().samples.contiguous(memory_format=layout) for _ in range(READY)]
    numbers = settings.z_dim or 0, settings.n_critic, settings.penalty_weight or 0.0
    return Pair(experiment, *networks, first, second, cycle(batches), *numbers)


class Loop(ABC):
    """A loop that trains a pair: `cycle` is `n_critic` updates of the critic and one of the generator.

    Attributes:
        name: the project that it stands for.
        losses: those that it has.
        layout: memory format of networks and images.
        optimizer: further options of Adam.
        is_exact: whether it computes the laboratory's losses up to rounding in float32.
        moves_generator_first: whether the critic sees fakes of the generator before its last step, where
            there is no penalty.
        real: the last batch of real images.
    """

    name: ClassVar[str]
    losses: ClassVar[Sequence[str]] = ("bce", "wgan-gp")
    layout: ClassVar[torch.memory_format] = torch.contiguous_format
    optimizer: ClassVar[Mapping[str, Any]] = {}
    is_exact: ClassVar[bool] = True
    moves_generator_first: ClassVar[bool] = False

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.real = torch.empty(0)

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> "Loop":
        """Makes the loop with a pair for flags of `gans run`."""
        return cls(make_pair(flags, cls.layout, **cls.optimizer))

    @abstractmethod
    def cycle(self) -> None:
        """Trains both players."""

    def next_real(self) -> Tensor:
        """The next batch of real images."""
        self.real = next(self.pair.batches)
        return self.real

    def judge(self, real: Tensor, fake: Tensor) -> Tensor:
        """The critic's loss on two batches, without a penalty."""
        critic = self.pair.critic
        if self.pair.weight:
            return critic(fake).mean() - critic(real).mean()
        real_logits, fake_logits = critic(real), critic(fake)
        true = binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
        return true + binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))

    def fool(self, fake: Tensor) -> Tensor:
        """The generator's loss on generated images."""
        return self.loss_of_fooled(self.pair.critic(fake))

    def loss_of_fooled(self, logits: Tensor) -> Tensor:
        """The generator's loss, from the critic's logits of generated images."""
        if self.pair.weight:
            return -logits.mean()
        return binary_cross_entropy_with_logits(logits, torch.ones_like(logits))

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """The gradient penalty by double backward, with its weight."""
        share = self.pair.draws.shares(real)
        points = (share * real + (1 - share) * fake).detach().requires_grad_(True)
        logits = self.pair.critic(points)
        (gradient,) = torch.autograd.grad(
            logits, points, torch.ones_like(logits), create_graph=True, retain_graph=True
        )
        return self.pair.weight * (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()
