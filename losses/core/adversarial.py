"""Adversarial forms: every file beside this one is a form, and its file name is the form's name.

A form says what the two players want, on logits. Penalties and regularizers are not its business.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, final

from torch import Tensor

from losses.recipe import Recipe


class Adversarial(ABC):
    """An adversarial form.

    Attributes:
        recipe: settings that the form brings when it is asked for by its own name.
        relativistic: whether the generator's term reads the logits of the reals too.
    """

    recipe: ClassVar[Recipe]
    relativistic: ClassVar[bool] = False

    @abstractmethod
    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """What the critic minimises: two `(N,)` vectors of logits → a scalar."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        """What the generator minimises. `real_logits` is None unless the form is relativistic."""


class Labelled(Adversarial):
    """A form that judges each sample against a label, so that labels can be smoothed or flipped.

    The three terms are per sample, `(N,)` → `(N,)`.
    """

    @abstractmethod
    def real(self, logits: Tensor) -> Tensor:
        """The critic's term for samples that it is told are real."""

    @abstractmethod
    def fake(self, logits: Tensor) -> Tensor:
        """The critic's term for samples that it is told are fake."""

    @abstractmethod
    def fool(self, logits: Tensor) -> Tensor:
        """The generator's term for its samples."""

    @final
    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.real(real_logits).mean() + self.fake(fake_logits).mean()

    @final
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None) -> Tensor:
        return self.fool(fake_logits).mean()
