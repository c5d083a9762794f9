"""The original GAN in its minimax form, whose generator saturates (Goodfellow et al. 2014, equation 1)."""

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from losses.core.adversarial import Labelled
from losses.recipe import Recipe, defaults


class SaturatingBinaryCrossEntropy(Labelled):
    """Minimax GAN loss: critic `−log σ(C(x)) − log(1 − σ(C(x̃)))`, generator `log(1 − σ(C(x̃)))`.

    The generator's slope `−σ(C(x̃))` vanishes where the critic is sure that a sample is fake, which is where
    every generator begins: the form is here to be compared with, not to be used.

    >>> from torch import Tensor
    >>> from losses.adversarial.bce_saturating import SaturatingBinaryCrossEntropy
    >>> SaturatingBinaryCrossEntropy().generator(Tensor([0.0]))  # −log 2
    tensor(-0.6931)
    """

    threshold = 0.0
    recipe: ClassVar[Recipe] = Recipe(
        paper="Goodfellow et al. 2014, arXiv:1406.2661, equation 1",
        form="bce-saturating",
        settings=(
            defaults(n_critic=1, optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.5, 0.999)),
        ),
        departures="""
            * The optimizer is Adam with DCGAN's numbers; the paper has gradient descent with momentum.
            * The paper begins with this form in theory, and trains with that of `bce`.
        """,
    )

    def real_loss(self, logits: Tensor) -> Tensor:
        return -logsigmoid(logits)

    def fake_loss(self, logits: Tensor) -> Tensor:
        return -logsigmoid(-logits)

    def generator_loss(self, logits: Tensor) -> Tensor:
        return logsigmoid(-logits)
