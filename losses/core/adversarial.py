"""The contract of adversarial forms: the losses of both players as functions of logits.

Penalties and regularizers are not a form's business.
"""

import logging
from abc import ABC, abstractmethod
from typing import Any, ClassVar, final

from torch import Tensor

from losses.recipe import Recipe

log = logging.getLogger("gans")
OLD_NAMES = {"real": "real_loss", "fake": "fake_loss", "fool": "generator_loss"}


class Adversarial(ABC):
    """An adversarial form: the losses of critic and generator, given logits.

    Attributes:
        recipe: settings that the form brings when it is asked for by its own name.
        relativistic: whether the generator's loss reads the logits of real samples too.
        threshold: logit above which the critic takes a sample for real, where both labels cost the same; None
            for forms that only compare logits, whose signs say nothing. A form that has none says so.
        factor: constant in front of the losses of both players, which papers that weigh them against other
            terms leave out.
    """

    recipe: ClassVar[Recipe]
    relativistic: ClassVar[bool] = False
    threshold: float | None = None
    factor: ClassVar[float] = 1.0

    @abstractmethod
    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The critic's loss: two `(N,)` vectors of logits → a scalar."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """The generator's loss: `(N,)` logits → a scalar.

        A relativistic form needs `real_logits`; others ignore them.
        """

    @classmethod
    def undeclared_threshold(cls) -> str:
        """Says what to write into a class that leaves open whether it has a threshold; empty if it does not.

        Relativistic forms have none: they compare.
        """
        own = [kind for kind in cls.__mro__ if issubclass(kind, Adversarial) and kind is not Adversarial]
        if cls.relativistic or any("threshold" in vars(kind) for kind in own):
            return ""
        return (
            f"class {cls.__name__} does not declare its threshold, the logit above which the critic takes a "
            "sample for real: write `threshold = 0.0`, or another number, into the class"
        )


class Labelled(Adversarial):
    """A form with a loss for each sample and its label, so that labels can be smoothed or flipped.

    Its three losses are per sample, `(N,)` → `(N,)`.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Accepts the method names of earlier versions, with one line in the log."""
        super().__init_subclass__(**keywords)
        for old, new in OLD_NAMES.items():
            if old in vars(cls) and new not in vars(cls):
                setattr(cls, new, vars(cls)[old])
                log.warning(
                    f"form {cls.__name__}: rename its method {old} to {new}; later versions need that"
                )

    @abstractmethod
    def real_loss(self, logits: Tensor) -> Tensor:
        """The critic's loss for samples that are labelled real."""

    @abstractmethod
    def fake_loss(self, logits: Tensor) -> Tensor:
        """The critic's loss for samples that are labelled fake."""

    @abstractmethod
    def generator_loss(self, logits: Tensor) -> Tensor:
        """The generator's loss for the samples that it made."""

    @final
    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.real_loss(real_logits).mean() + self.fake_loss(fake_logits).mean()

    @final
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self.generator_loss(fake_logits).mean()
