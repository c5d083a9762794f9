"""The base of games with two players, the generator's and the critic's."""

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from torch import nn

from gans.core.critic_side import CriticSide
from gans.core.game import BatchLoader, Game
from gans.core.networks import GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.player import Losses, Player, Scores

Generator = TypeVar("Generator", bound=GeneratorNetwork)
Critic = TypeVar("Critic", bound=nn.Module)


class TwoPlayerGame(CriticSide, Game, Generic[Generator, Critic]):
    """Base of games with a player for the generator and one for the critic; `round` is the game's own.

    Args:
        generator, critic: the networks; several that are updated together are one module.
        spec: form, penalties, regularizers and optimizers.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        super().__init__()
        self.objective, self.n_critic, self.options = spec.objective, spec.n_critic, spec.options
        self.generator = Player("generator", generator, spec.generator_optimizer, (), spec.generator_rates)
        self.critic = spec.critic_player(critic)

    @property
    def generator_network(self) -> Generator:
        return cast(Generator, self.generator.network)

    @property
    def critic_network(self) -> Critic:
        return cast(Critic, self.critic.network)

    @property
    def batches_per_round(self) -> int:
        return self.n_critic

    def alternate(
        self, loader: BatchLoader, critic_loss: Callable[..., Losses], generator_loss: Callable[..., Losses]
    ) -> Scores:
        """Updates the critic `n_critic` times on fresh batches, then the generator on the last batch."""
        scores: Scores = {}
        for _ in range(self.n_critic):
            clock, real = loader.clock, loader.next_batch()
            scores |= self.critic.minimise(critic_loss, clock, real)
        return scores | self.generator.minimise(generator_loss, clock, real)
