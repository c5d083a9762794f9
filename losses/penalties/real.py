"""Penalizes gradients at the real samples (R1, Mescheder et al. 2018)."""

from typing import ClassVar

from torch import Tensor

from losses.core.points import Points


class Real(Points):
    """The real samples as penalty points: `x̂ = x` (equation 9).

    >>> from torch import Tensor
    >>> from losses.penalties.real import Real
    >>> Real().choose(Tensor([1.0]), Tensor([2.0]))
    tensor([1.])
    """

    takes_fakes: ClassVar[bool] = False

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        return real.detach()
