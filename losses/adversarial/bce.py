"""The original GAN with the non-saturating generator, on logits (Goodfellow et al. 2014)."""

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from losses.core.adversarial import Labelled
from losses.recipe import Recipe, defaults


class BinaryCrossEntropy(Labelled):
    """Non-saturating GAN loss: critic `−log σ(C(x)) − log(1 − σ(C(x̃)))`, generator `−log σ(C(x̃))`.

    `1 − σ(c) = σ(−c)`, and the logarithm of σ is taken as one function that does not overflow. The critic's
    optimum is `log p_real(x) − log p_fake(x)`, where its loss is `2 log 2 − 2 JS(p_real, p_fake)`.
    The generator's form is the non-saturating one of section 3 of the paper.

    >>> from torch import Tensor
    >>> from losses.adversarial.bce import BinaryCrossEntropy
    >>> loss = BinaryCrossEntropy()
    >>> loss.critic(Tensor([0.0]), Tensor([0.0]))  # 2 log 2
    tensor(1.3863)
    """

    threshold = 0.0
    recipe: ClassVar[Recipe] = Recipe(
        paper="Goodfellow et al. 2014, arXiv:1406.2661; optimizer of Radford et al. 2015, arXiv:1511.06434",
        form="bce",
        settings=(
            defaults(n_critic=1, optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.5, 0.999)),
        ),
        departures="""
            * The optimizer is Adam with DCGAN's numbers; the paper has gradient descent with momentum.
            * Both players' images are drawn anew, as in algorithm 1; much code shows the generator's step the
              critic's fakes.
        """,
    )

    def real_loss(self, logits: Tensor) -> Tensor:
        return -logsigmoid(logits)

    def fake_loss(self, logits: Tensor) -> Tensor:
        return -logsigmoid(-logits)

    def generator_loss(self, logits: Tensor) -> Tensor:
        return -logsigmoid(logits)
