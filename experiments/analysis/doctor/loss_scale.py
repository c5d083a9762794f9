"""Scale of a critic's loss: its value for a critic at chance and for a perfect critic, for any form.

A form is evaluated at constant logits, `C(x) = r` for all real samples and `C(x̃) = f` for all fakes. A
critic that cannot tell them apart has r = f; its least loss is the form's chance level. The least loss
over all r and f is that of a perfect critic. Forms whose loss falls without end, such as wgan's, have
none, and there a stronger critic is a better one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from losses.core.adversarial import Adversarial

FARTHEST = 40  # largest logit that is tried: its sigmoid is 1 in float32
STILL_FALLING = 0.01  # share of the loss at chance; a larger fall over the last half has no end


@dataclass(frozen=True)
class LossScale:
    """Loss of a critic at chance, which cannot tell real from fake, and of a perfect critic."""

    chance: float
    perfect: float

    def remaining_share(self, loss: float) -> float:
        """Share of the loss at chance that is left: 1 at chance, 0 for a perfect critic."""
        return (loss - self.perfect) / (self.chance - self.perfect)


def reference_losses(form: Adversarial) -> LossScale | None:
    """Computes the loss of a form at chance and at its perfect critic.

    None for a form without a perfect critic, whose loss falls without end.
    """
    tenths = torch.arange(-10 * FARTHEST, 10 * FARTHEST + 1) / 10
    chance = _least_loss(form, tenths, tenths)
    near, far = (_least_loss(form, *_whole_logits(reach)) for reach in (FARTHEST // 2, FARTHEST))
    is_falling = near - far > STILL_FALLING * (chance - far)
    return None if is_falling or chance <= far else LossScale(chance, far)


def _whole_logits(reach: int) -> tuple[Tensor, Tensor]:
    """All pairs of whole logits in [−reach, reach], of real and of fake: labels and margins are whole."""
    logits = torch.arange(-reach, reach + 1).float()
    real, fake = torch.cartesian_prod(logits, logits).unbind(1)
    return real, fake


def _least_loss(form: Adversarial, real: Tensor, fake: Tensor) -> float:
    """Least loss of the critic over pairs of logits `(N,)`."""
    pairs = real[:, None], fake[:, None]
    try:
        return torch.vmap(form.critic)(*pairs).min().item()
    except RuntimeError:  # a form of a plug-in that asks for values, or draws
        return min(form.critic(*pair).item() for pair in zip(*pairs, strict=True))
