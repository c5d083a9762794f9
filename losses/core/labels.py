"""Label smoothing and label flipping of adversarial forms."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from losses.core.adversarial import Adversarial, Labelled
from losses.core.batch_parts import uniform_each
from losses.recipe import Recipe


class Mix(Protocol):
    """Mixes the loss of a sample under its label with its loss under the other label."""

    def __call__(self, label_loss: Tensor, other_loss: Tensor) -> Tensor: ...


class Relabelled(Labelled):
    """A labelled form whose critic's losses are mixed with those under the other label.

    The generator's target is never touched: it would be rewarded for samples that the critic sees through.
    """

    recipe: ClassVar[Recipe]

    def __init__(self, form: Labelled, mix_real: Mix, mix_fake: Mix) -> None:
        self.form, self.mix_real, self.mix_fake = form, mix_real, mix_fake
        self.threshold = form.threshold

    def real_loss(self, logits: Tensor) -> Tensor:
        return self.mix_real(self.form.real_loss(logits), self.form.fake_loss(logits))

    def fake_loss(self, logits: Tensor) -> Tensor:
        return self.mix_fake(self.form.fake_loss(logits), self.form.real_loss(logits))

    def generator_loss(self, logits: Tensor) -> Tensor:
        return self.form.generator_loss(logits)


def innermost(form: Adversarial) -> Adversarial:
    """The form itself, whose labels may be changed several times over."""
    while isinstance(form, Relabelled):
        form = form.form
    return form


def require_target_labels(name: str, form: Adversarial) -> Labelled:
    """Checks that a form has labels, and returns it; raises ValueError with the reason otherwise."""
    if not isinstance(form, Labelled):
        raise ValueError(
            f"{name} has no meaning for {form.recipe.form}: it compares logits and has no labels to change"
        )
    return form


def smooth_labels(name: str, form: Adversarial, mix_real: Mix, mix_fake: Mix) -> Relabelled:
    """Smooths the labels of a form.

    Raises ValueError where they are smoothed already: targets would multiply.
    """
    inner = require_target_labels(name, form)
    while isinstance(inner, Relabelled):
        if isinstance(inner.mix_real, SmoothLabels):
            raise ValueError(f"{name}: the labels are smoothed already; take one kind of label smoothing")
        inner = inner.form
    return Relabelled(require_target_labels(name, form), mix_real, mix_fake)


def keep_label(label_loss: Tensor, other_loss: Tensor) -> Tensor:
    """Keeps a sample's label: returns the loss under it."""
    return label_loss


class SmoothLabels:
    """Label smoothing: the expected loss where a label is right with probability α."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def __call__(self, label_loss: Tensor, other_loss: Tensor) -> Tensor:
        return self.alpha * label_loss + (1 - self.alpha) * other_loss


class FlipLabels:
    """Label flipping: swaps the label of each sample with a given probability, drawn anew at every update."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, label_loss: Tensor, other_loss: Tensor) -> Tensor:
        flipped = uniform_each(label_loss) < self.probability  # all patches of a sample have its label
        return torch.where(flipped, other_loss, label_loss)
