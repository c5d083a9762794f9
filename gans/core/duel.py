"""The game of one generator against one critic (Goodfellow et al. 2014, algorithm 1)."""

import torch
from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.game import Batch, Deal, Game, GeneratorNetwork
from gans.core.opponents import Opponents
from gans.core.player import Outcome, Scores


class Duel(Opponents[GeneratorNetwork, nn.Module]):
    """`n_critic` updates of the critic on fresh reals and fresh fakes, then one of the generator.

    Args:
        generator: makes samples like those of a batch, with the same condition.
        critic: samples and their condition → logits `(N, …)`.
        rules: form, penalties, regularizers and optimizers.
    """

    def round(self, deal: Deal) -> Scores:
        return self.alternate(deal, self.judge, self.fool)

    def generate(self, like: Batch) -> Tensor:
        """As many fresh samples as the batch has, of the same condition."""
        return self.generator_network.generate(like)

    def judge(self, clock: Clock, real: Batch) -> Outcome:
        """The critic's objective."""
        with torch.no_grad():
            fake = self.generate(real)
        return self.contest.judge(self.critic.network, clock, real, fake)

    def fool(self, clock: Clock, real: Batch) -> Outcome:
        """The generator's objective."""
        fake = self.generate(real)
        return Outcome({"adversarial": self.contest.fool(self.critic.network, clock, real, fake)})


class AroundDuel(Game):
    """A game that plays a duel by further rules: it has the duel's players, and brings its own round."""

    def __init__(self, duel: Duel) -> None:
        super().__init__()
        self.duel = duel

    @property
    def generator_network(self) -> nn.Module:
        return self.duel.generator_network

    @property
    def critic_network(self) -> nn.Module:
        return self.duel.critic_network

    @property
    def deals_per_round(self) -> int:
        return self.duel.deals_per_round
