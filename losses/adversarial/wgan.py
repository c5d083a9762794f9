"""Wasserstein distance with a weight-clipped critic (Arjovsky et al. 2017)."""

from typing import ClassVar

from torch import Tensor

from losses.core.adversarial import Adversarial
from losses.recipe import Recipe, defaults


class Wasserstein(Adversarial):
    """Wasserstein loss: critic `E C(x̃) − E C(x)`, generator `−E C(x̃)` (the dual form, equation 2).

    The critic must be kept Lipschitz by someone else: weight clipping under this form's own name, a
    gradient penalty in `wgan-gp`.

    >>> from torch import Tensor
    >>> from losses.adversarial.wgan import Wasserstein
    >>> Wasserstein().critic(real_logits=Tensor([3.0]), fake_logits=Tensor([1.0]))
    tensor(-2.)
    """

    threshold = None
    recipe: ClassVar[Recipe] = Recipe(
        paper="Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1",
        form="wgan",
        settings=(
            defaults(
                n_critic=5,
                optimizer="rmsprop",
                lr_generator=5e-5,
                lr_critic=5e-5,
                regularizers={"weight-clip": 0.01},
            ),
            # A sum over fewer channels needs larger weights to be as steep.
            defaults(preset="laptop", lr_generator=5e-4, lr_critic=5e-4, regularizers={"weight-clip": 0.05}),
        ),
        departures="""
            * The critic is updated five times for every update of the generator, as in algorithm 1; the
              authors' code updates it 100 times for the first 25 of the generator and for every 500th.
            * Weights are clipped after each of the critic's steps, as in algorithm 1; the authors' code clips
              before each.
            * All parameters are clipped, biases and norms included, as in the authors' code.
        """,
    )

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()
