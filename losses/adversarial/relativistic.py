"""Compares a real with a fake sample in pairs: which of the two is real (Jolicoeur-Martineau 2018)."""

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from losses.core.adversarial import Adversarial
from losses.recipe import Recipe, defaults


class Relativistic(Adversarial):
    """Relativistic pairing loss: critic `softplus(−(C(x) − C(x̃)))`, generator `softplus(−(C(x̃) − C(x)))`.

    This is the relativistic pairing GAN with the logistic function (R3GAN, Huang et al. 2024, equation 2).

    Each real sample is paired with one fake. Only differences of logits count, so the critic's level is free.
    Its optimum is `C(x) − C(x̃) = log p_real(x) p_fake(x̃) − log p_fake(x) p_real(x̃)`.

    >>> from torch import Tensor
    >>> from losses.adversarial.relativistic import Relativistic
    >>> Relativistic().generator(fake_logits=Tensor([1.0]), real_logits=Tensor([1.0]))  # log 2
    tensor(0.6931)
    """

    relativistic: ClassVar[bool] = True
    threshold = None
    recipe: ClassVar[Recipe] = Recipe(
        paper="Jolicoeur-Martineau 2018, arXiv:1807.00734; Huang et al. 2024, arXiv:2501.05441",
        form="relativistic",
        settings=(
            defaults(n_critic=1, optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.0, 0.99)),
        ),
        departures="""
            * Pairs alone are compared (RSGAN); the relativistic average, RaSGAN, which compares with a
              batch's mean logit, is not built in.
            * The betas are R3GAN's; Jolicoeur-Martineau has (0.5, 0.999).
            * The critic keeps the norm of its architecture; hers for CIFAR-10 has spectral norm:
              `--critic-norm spectral`.
        """,
    )

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        if real_logits is None:
            raise ValueError("the relativistic form compares with the logits of reals")
        return softplus(real_logits - fake_logits).mean()
