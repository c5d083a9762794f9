"""Least squares between logits and labels (Mao et al. 2017)."""

from typing import ClassVar

from torch import Tensor

from losses.core.adversarial import Labelled
from losses.recipe import Recipe, defaults


class LeastSquares(Labelled):
    """Least squares loss: critic `½(C(x) − 1)² + ½C(x̃)²`, generator `½(C(x̃) − 1)²`.

    See equation 2, with the labels a = 0, b = 1 and c = 1 (equation 9).

    The critic's optimum is `p_real / (p_real + p_fake)` (section 3.2).

    >>> from torch import Tensor
    >>> from losses.adversarial.lsgan import LeastSquares
    >>> LeastSquares().critic(real_logits=Tensor([1.0]), fake_logits=Tensor([2.0]))
    tensor(2.)
    """

    threshold = 0.5
    recipe: ClassVar[Recipe] = Recipe(
        paper="Mao et al. 2017, arXiv:1611.04076; optimizer of Radford et al. 2015, arXiv:1511.06434",
        form="lsgan",
        settings=(
            defaults(n_critic=1, optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.5, 0.999)),
        ),
        departures="""
            * The labels are those of equation 9, with which the paper's images are made; equation 8 has a =
              −1, b = 1, c = 0.
            * Both learning rates are 2e-4, for all data; the paper has 1e-3 for LSUN, and 2e-4 for
              handwriting.
        """,
    )

    factor: ClassVar[float] = 0.5

    def real_loss(self, logits: Tensor) -> Tensor:
        return (logits - 1).square() / 2

    def fake_loss(self, logits: Tensor) -> Tensor:
        return logits.square() / 2

    def generator_loss(self, logits: Tensor) -> Tensor:
        return (logits - 1).square() / 2
