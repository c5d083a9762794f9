"""The Pearson χ² divergence as a GAN loss (Nowozin et al. 2016, f-GAN, table 6).

A new loss is one file:

    gans run --plugin examples/pearson.py --loss pearson
"""

from typing import ClassVar

from torch import Tensor

from losses.core.adversarial import Labelled
from losses.recipe import Recipe, defaults


class Pearson(Labelled):
    """The critic maximises `E C(x) − E f*(C(x̃))` with the conjugate `f*(t) = t²/4 + t` (equation 4).

    Its optimum is `f′(p/q) = 2 (p/q − 1)`, where the bound is `χ²(p, q) = E_q (p/q − 1)²`.
    """

    threshold = 0.0
    recipe: ClassVar[Recipe] = Recipe(
        paper="Nowozin et al. 2016, arXiv:1606.00709",
        form="pearson",
        settings=(defaults(lr_generator=1e-4, lr_critic=1e-4, betas=(0.5, 0.999)),),
    )

    def real_loss(self, logits: Tensor) -> Tensor:
        return -logits

    def fake_loss(self, logits: Tensor) -> Tensor:
        return logits.square() / 4 + logits

    def generator_loss(self, logits: Tensor) -> Tensor:
        return -logits
