"""Where a gradient penalty is taken: every file beside this one is a place (`--penalty NAME`)."""

from abc import ABC, abstractmethod

from torch import Tensor


class Points(ABC):
    """A choice of the points x̂ at which the critic's gradient is held."""

    @abstractmethod
    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        """x̂ of shape `(N, …)` from two batches of that shape, detached from any graph."""
