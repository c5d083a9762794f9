"""Forms whose labels are not taken at their word."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from losses.core.adversarial import Adversarial, Labelled
from losses.recipe import Recipe


class Mix(Protocol):
    """What becomes of a term when its label says one thing and might have said the other."""

    def __call__(self, told: Tensor, other: Tensor) -> Tensor: ...


class Relabelled(Labelled):
    """A labelled form whose critic's terms are mixed with those of the other label.

    The generator's target is never touched: it would be rewarded for samples that the critic sees through.
    """

    recipe: ClassVar[Recipe]

    def __init__(self, form: Labelled, mix_real: Mix, mix_fake: Mix) -> None:
        self.form, self.mix_real, self.mix_fake = form, mix_real, mix_fake

    def real(self, logits: Tensor) -> Tensor:
        return self.mix_real(self.form.real(logits), self.form.fake(logits))

    def fake(self, logits: Tensor) -> Tensor:
        return self.mix_fake(self.form.fake(logits), self.form.real(logits))

    def fool(self, logits: Tensor) -> Tensor:
        return self.form.fool(logits)


def labelled(name: str, form: Adversarial) -> Labelled:
    """The form, if it has labels. Raises ValueError with the reason where it has none."""
    if not isinstance(form, Labelled):
        raise ValueError(
            f"{name} has no meaning for {form.recipe.form}: it compares logits and has no labels to change"
        )
    return form


def smoothed(name: str, form: Adversarial, mix_real: Mix, mix_fake: Mix) -> Relabelled:
    """The form with softer labels. Raises ValueError where they are soft already: targets would multiply."""
    inner = labelled(name, form)
    while isinstance(inner, Relabelled):
        if isinstance(inner.mix_real, Smooth):
            raise ValueError(f"{name}: the labels are smoothed already; take one kind of label smoothing")
        inner = inner.form
    return Relabelled(labelled(name, form), mix_real, mix_fake)


def as_told(told: Tensor, other: Tensor) -> Tensor:
    return told


class Smooth:
    """The expectation over a label that is as told with probability α."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def __call__(self, told: Tensor, other: Tensor) -> Tensor:
        return self.alpha * told + (1 - self.alpha) * other


class Flip:
    """Each sample's label is the other one with a given probability, drawn anew at every update."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, told: Tensor, other: Tensor) -> Tensor:
        each = (len(told), *[1] * (told.dim() - 1))  # all patches of a sample have its label
        flipped = torch.rand(each, device=told.device, dtype=told.dtype) < self.probability
        return torch.where(flipped, other, told)
