"""The game of one generator against one critic (Goodfellow et al. 2014, algorithm 1)."""

import torch
from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.game import BatchLoader, Game
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.player import Losses, Scores
from gans.core.two_player import TwoPlayerGame


class Duel(TwoPlayerGame[GeneratorNetwork, nn.Module]):
    """The GAN game: `n_critic` critic updates on fresh real and fake samples, then one of the generator.

    The critic minimises `L_C(C(x), C(G(z)))` and the penalties of the loss, the generator `L_G(C(G(z)))`,
    where L_C and L_G are the adversarial form. Forms that compare pairs have C(x) in L_G, too.

    Args:
        generator: makes as many samples as a batch has, under its condition.
        critic: samples and their condition → logits `(N, …)`.
        spec: form, penalties, regularizers and optimizers.
    """

    def round(self, loader: BatchLoader) -> Scores:
        return self.alternate(loader, self.critic_loss, self.generator_loss)

    def generate(self, like: Batch) -> Tensor:
        """Generates as many fresh samples as the batch has, under its condition."""
        return self.generator_network.generate(like)

    def critic_loss(self, clock: Clock, real: Batch) -> Losses:
        """The critic's loss on a batch of real samples and as many generated ones."""
        with torch.no_grad():
            fake = self.generate(real)
        return self.critic_loss_on(clock, real, fake)

    def generator_loss(self, clock: Clock, real: Batch) -> Losses:
        """The generator's loss on as many generated samples as the batch has."""
        fake = self.generate(real)
        return Losses({"adversarial": self.generator_loss_on(clock, real, fake)})


class WrappedGame(Game):
    """Base of games that train the two players of a duel in a round of their own."""

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
    def batches_per_round(self) -> int:
        return self.duel.batches_per_round
