"""The contract of penalty norms: penalties on the norm of each sample's gradient."""

from abc import ABC, abstractmethod

from torch import Tensor

# The root has an infinite slope at 0, so a critic that is flat somewhere would give NaN. The floor stands
# inside the root and is so small that the norm of any gradient above 1e-6 is unchanged in float32.
SQUARED_NORM_FLOOR = 1e-20


class PenaltyNorm(ABC):
    """A penalty on the squared norm of a sample's gradient, smallest where the norm is at its target."""

    @abstractmethod
    def __call__(self, squared: Tensor) -> Tensor:
        """Penalizes squared gradient norms: `(N,)` → penalties `(N,)`."""


def safe_sqrt(squared: Tensor) -> Tensor:
    """Square root of squared norms, with a finite slope at 0."""
    return (squared + SQUARED_NORM_FLOOR).sqrt()
