"""Two players and what they play for: what games with one generator's and one critic's player share."""

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from torch import nn

from gans.core.contest import Contest, Rules
from gans.core.game import Deal, Game, GeneratorNetwork
from gans.core.player import Outcome, Player, Scores

Generator = TypeVar("Generator", bound=GeneratorNetwork)
Critic = TypeVar("Critic", bound=nn.Module)


class Opponents(Game, Generic[Generator, Critic]):
    """A player for the generator and one for the critic; a game of them brings its own round.

    Args:
        generator, critic: the networks; several that move together are one module.
        rules: form, penalties, regularizers and optimizers.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, rules: Rules) -> None:
        super().__init__()
        self.contest, self.weights, self.n_critic = Contest(rules), rules.weights, rules.n_critic
        self.generator = Player("generator", generator, rules.generator_optimizer, (), rules.schedule)
        self.critic = Player("critic", critic, rules.critic_optimizer, rules.constraints, rules.schedule)

    @property
    def generator_network(self) -> Generator:
        return cast(Generator, self.generator.network)

    @property
    def critic_network(self) -> Critic:
        return cast(Critic, self.critic.network)

    @property
    def deals_per_round(self) -> int:
        return self.n_critic

    def alternate(self, deal: Deal, judge: Callable[..., Outcome], fool: Callable[..., Outcome]) -> Scores:
        """`n_critic` updates of the critic on fresh batches, then one of the generator on the last."""
        scores: Scores = {}
        for _ in range(self.n_critic):
            clock, real = deal.clock, deal()
            scores |= self.critic.minimise(judge, clock, real)
        return scores | self.generator.minimise(fool, clock, real)
