"""At the real samples (R1, Mescheder et al. 2018)."""

from torch import Tensor

from losses.core.points import Points


class Real(Points):
    """`x̂ = x` (equation 9)."""

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        return real.detach()
