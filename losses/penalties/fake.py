"""Penalizes gradients at the generated samples (R2, Mescheder et al. 2018)."""

from torch import Tensor

from losses.core.points import Points


class Fake(Points):
    """The fake samples as penalty points: `x̂ = x̃` (equation 10).

    >>> from torch import Tensor
    >>> from losses.penalties.fake import Fake
    >>> Fake().choose(Tensor([1.0]), Tensor([2.0]))
    tensor([2.])
    """

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.detach()
