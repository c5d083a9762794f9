"""Hinge loss, with spectral norm on the critic (Lim & Ye 2017; Miyato et al. 2018)."""

from typing import ClassVar

from torch import Tensor

from losses.core.adversarial import Labelled
from losses.recipe import Recipe, defaults


class Hinge(Labelled):
    """Hinge loss: critic `max(0, 1 − C(x)) + max(0, 1 + C(x̃))`, generator `−C(x̃)`.

    See SNGAN, equations 16 and 17.

    A sample that is classified right by a margin of 1 teaches the critic nothing more. Its optimum is
    `sign(p_real − p_fake)`.

    >>> from torch import Tensor
    >>> from losses.adversarial.hinge import Hinge
    >>> Hinge().critic(real_logits=Tensor([2.0]), fake_logits=Tensor([-0.5]))
    tensor(0.5000)
    """

    threshold = 0.0
    recipe: ClassVar[Recipe] = Recipe(
        paper="Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957",
        form="hinge",
        settings=(
            defaults(
                critic_norm="spectral",
                n_critic=5,
                optimizer="adam",
                lr_generator=2e-4,
                lr_critic=2e-4,
                betas=(0.0, 0.9),
            ),
            defaults(preset="laptop", lr_generator=1e-3, lr_critic=1e-3),
        ),
        departures="""
            * Lim & Ye have no spectral norm: `--critic-norm none` is theirs.
            * Rates stay as they are; the code of SNGAN's authors lets them fall to 0 in a line:
              `--lr-schedule linear --lr-decay-from 0`.
            * The generator's batch is as large as the critic's; in their code it is twice as large.
        """,
    )

    def real_loss(self, logits: Tensor) -> Tensor:
        return (1 - logits).relu()

    def fake_loss(self, logits: Tensor) -> Tensor:
        return (1 + logits).relu()

    def generator_loss(self, logits: Tensor) -> Tensor:
        return -logits
