"""The critic's side of adversarial training: its player, and the losses of both sides against it."""

from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.networks import Batch, Condition
from gans.core.objective import AdversarialObjective
from gans.core.player import Losses, Player


class CriticSide(nn.Module):
    """Base of what trains a critic: games with two players, and an adversary in a loop of somebody's own.

    Attributes:
        objective: form, penalties, regularizers and critic augmentation.
        critic: the player of the critic.
    """

    objective: AdversarialObjective
    critic: Player

    def critic_loss_on(
        self, clock: Clock, real: Batch, fake: Tensor, condition: Condition | None = None
    ) -> Losses:
        """The critic's loss on real samples `(N, …)` and as many generated ones, with all its terms.

        Args:
            condition: of the generated samples; None for that of the real ones.
        """
        return self.objective.critic_loss(self.critic.network, clock, real, fake, condition)

    def generator_loss_on(
        self, clock: Clock, real: Batch, fake: Tensor, condition: Condition | None = None
    ) -> Tensor:
        """The adversarial loss of generated samples `(N, …)`, a scalar; `condition` as for the critic."""
        return self.objective.generator_loss(self.critic.network, clock, real, fake, condition)
