"""Tells the critic that reals are real with probability α only, one-sided (Salimans et al. 2016, 3.4)."""

from typing import ClassVar

from torch import Tensor

from losses.adversarial import Adversarial, Labelled
from losses.recipe import Recipe
from losses.regularizers import Relabel


class LabelSmoothing(Relabel):
    """The critic's target for reals becomes α (0.9 in the paper); its target for fakes stays 0 and the
    generator's stays 1: smoothing either of those would reward the generator's present samples."""

    def __init__(self, strength: float) -> None:
        if not 0.5 < strength <= 1:
            raise ValueError(f"label-smoothing needs a target for reals in (0.5, 1], not {strength:g}")
        super().__init__(strength)

    def wrap(self, form: Adversarial) -> Adversarial:
        if not isinstance(form, Labelled):
            raise ValueError(f"label-smoothing has no meaning for {form.recipe.form}: it has no labels")
        return _Smoothed(form, self.strength)


class _Smoothed(Labelled):
    """A labelled form whose real target is the expectation over a label that is 1 with probability α."""

    recipe: ClassVar[Recipe]

    def __init__(self, form: Labelled, target: float) -> None:
        self.form, self.target = form, target

    def real(self, logits: Tensor) -> Tensor:
        return self.target * self.form.real(logits) + (1 - self.target) * self.form.fake(logits)

    def fake(self, logits: Tensor) -> Tensor:
        return self.form.fake(logits)

    def fool(self, logits: Tensor) -> Tensor:
        return self.form.fool(logits)
