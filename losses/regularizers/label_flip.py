"""Flips each of the critic's labels with probability STRENGTH in (0, 0.5) (Chintala et al. 2016)."""

from losses.core.adversarial import Adversarial
from losses.core.labels import FlipLabels, Relabelled, require_target_labels
from losses.core.regularizer import Relabel


class LabelFlip(Relabel):
    """Flips the critic's label of each sample with probability p, drawn anew at every update.

    The generator's target stays 1.
    """

    def __init__(self, strength: float) -> None:
        if not 0 < strength < 0.5:
            raise ValueError(
                f"label-flip needs a probability between 0 and 0.5, not {strength:g}: from one half on, "
                "labels say nothing or the opposite"
            )
        super().__init__(strength)

    def wrap(self, form: Adversarial) -> Adversarial:
        flip = FlipLabels(self.strength)
        return Relabelled(require_target_labels("label-flip", form), flip, flip)
