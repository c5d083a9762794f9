"""How much of what its form has to give a critic has taken: the same question for every loss.

A form is asked at constant logits, `C(x) = r` for all reals and `C(x̃) = f` for all fakes. A critic that
cannot tell them apart says r = f; its least loss is the form's chance level. The least loss over all r and f
is that of a critic that makes no mistake. Forms whose loss falls without end, such as wgan's, have none, and
there a stronger critic is a better one.
"""

from dataclasses import dataclass

import torch

from losses.core.adversarial import Adversarial

FARTHEST = 40  # logits: σ of it is 1 in float32
STILL_FALLING = 0.01  # of the loss at chance, from half as far to the farthest


@dataclass(frozen=True)
class LossScale:
    """A critic's loss at its two marks: when it cannot tell at all, and when it makes no mistake."""

    chance: float
    perfect: float

    def left(self, loss: float) -> float:
        """Share of the loss at chance that is left, 1 at chance and 0 for the perfect critic."""
        return (loss - self.perfect) / (self.chance - self.perfect)


def scale_of(form: Adversarial) -> LossScale | None:
    """The marks of a form; None for one that has no perfect critic."""
    tenths = torch.arange(-10 * FARTHEST, 10 * FARTHEST + 1).div(10).view(-1, 1)
    chance = min(form.critic(c, c).item() for c in tenths)
    near, far = (_least(form, reach) for reach in (FARTHEST // 2, FARTHEST))
    is_falling = near - far > STILL_FALLING * (chance - far)
    return None if is_falling or chance <= far else LossScale(chance, far)


def _least(form: Adversarial, reach: int) -> float:
    """The least loss of the critic at whole logits in [−reach, reach]: labels and margins are whole."""
    logits = torch.arange(-reach, reach + 1).float().view(-1, 1)
    return min(form.critic(r, f).item() for r in logits for f in logits)
