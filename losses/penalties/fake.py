"""At the generated samples (R2, Mescheder et al. 2018)."""

from torch import Tensor

from losses.core.points import Points


class Fake(Points):
    """`x̂ = x̃` (equation 10)."""

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.detach()
