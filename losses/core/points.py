"""The contract of penalty points: where the gradient of the critic is penalized."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Points(ABC):
    """A rule that chooses the points x̂ at which the critic's gradient is penalized.

    Attributes:
        takes_fakes: whether the points depend on the generated samples, which are not made for others.
    """

    takes_fakes: ClassVar[bool] = True

    @abstractmethod
    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        """Chooses x̂ of shape `(N, …)` from two batches of that shape, detached from any graph."""
