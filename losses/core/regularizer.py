"""Regularizers: every file beside this one is one (`--NAME STRENGTH`).

There are four kinds, by the place where they act; a regularizer derives from exactly one of them.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from losses.core.adversarial import Adversarial


class Regularizer(ABC):  # noqa: B024  (its four kinds have the abstract methods)
    """Anything with a strength. Raises ValueError where the strength is out of its range."""

    def __init__(self, strength: float) -> None:
        self.strength = strength


class Constraint(Regularizer):
    """Acts on the critic's weights, after every one of its updates."""

    @abstractmethod
    def enforce(self, critic: nn.Module) -> None: ...


class View(Regularizer):
    """Acts on whatever the critic is shown, reals and fakes, in the steps of both players."""

    @abstractmethod
    def see(self, samples: Tensor, progress: float) -> Tensor:
        """Samples of any shape as the critic meets them when the share `progress` of the run is over."""


class Term(Regularizer):
    """Another term of the critic's loss, of its logits; it is scored under its name.

    Attributes:
        name: `critic/NAME` in the scores.
    """

    name: ClassVar[str]

    @abstractmethod
    def value(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Logits `(N,)` of the step's reals and fakes → a scalar."""


class Relabel(Regularizer):
    """Acts on the labels "real" and "fake": wraps the form."""

    @abstractmethod
    def wrap(self, form: Adversarial) -> Adversarial: ...
