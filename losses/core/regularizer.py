"""The contracts of regularizers: constraints, views, terms and changes of labels.

A regularizer derives from exactly one of them.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from losses.core.adversarial import Adversarial


class Regularizer(ABC):
    """A change of the critic's training, with a strength.

    Raises ValueError where the strength is out of its range.

    Attributes:
        name: of what it logs or remembers.
        state: what it remembers from one update to the next, for checkpoints; None for nothing.
        is_for_one_critic: whether what it remembers has a meaning for one critic only.
    """

    name: ClassVar[str]
    is_for_one_critic: ClassVar[bool] = False
    state: nn.Module | None = None

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def begin(self, batch_index: int, seen: int) -> None:  # noqa: B027  (most have nothing to do)
        """Prepares for a batch; called before anything else happens with it, and perhaps several times.

        Args:
            batch_index: batches of real samples before it.
            seen: real samples shown before it.
        """

    def observe(self, real_logits: Tensor) -> dict[str, Tensor]:
        """Looks at the logits of a batch of real samples; returns scalars to log, by name."""
        return {}


class Constraint(Regularizer):
    """Changes the critic's weights after every one of its updates."""

    @abstractmethod
    def enforce(self, critic: nn.Module) -> None:
        """Changes the weights of a critic in place, of those that ask for gradients: others are fixed."""


class View(Regularizer):
    """Changes what the critic sees, real and generated samples, in the steps of both players."""

    @abstractmethod
    def see(self, samples: Tensor, progress: float) -> Tensor:
        """Changes samples of any shape when the share `progress` of the run is over."""


class Term(Regularizer):
    """Adds a term of the logits to the critic's loss, which is logged under its name.

    Attributes:
        name: `critic/NAME` in the scores.
    """

    name: ClassVar[str]

    @abstractmethod
    def value(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Computes the term, a scalar, from logits `(N,)` of real and of generated samples."""


class Relabel(Regularizer):
    """Changes the labels "real" and "fake" of a form.

    Attributes:
        is_outermost: whether it wraps what the others have made of the form.
    """

    is_outermost: ClassVar[bool] = False

    @abstractmethod
    def wrap(self, form: Adversarial) -> Adversarial:
        """Wraps a form so that it uses other labels. Raises ValueError for a form without labels."""
