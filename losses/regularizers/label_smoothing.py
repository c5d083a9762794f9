"""Lowers the critic's target for real samples from 1 to STRENGTH in (0.5, 1] (Salimans et al. 2016, 3.4)."""

from losses.core.adversarial import Adversarial
from losses.core.labels import SmoothLabels, keep_label, smooth_labels
from losses.core.regularizer import Relabel


class LabelSmoothing(Relabel):
    """Lowers the critic's target for real samples to α (0.9 in the paper).

    Its target for fakes stays 0 and the generator's stays 1: smoothing either of those would reward the
    generator's present samples.

    A target is the expectation over labels: α·real(logits) + (1 − α)·fake(logits). For hinge, which has no
    targets but margins, that moves the boundary instead: to where real samples are 1/(2α − 1) times as dense
    as fakes.
    """

    def __init__(self, strength: float) -> None:
        if not 0.5 < strength <= 1:
            raise ValueError(f"label-smoothing needs a target for reals in (0.5, 1], not {strength:g}")
        super().__init__(strength)

    def wrap(self, form: Adversarial) -> Adversarial:
        return smooth_labels("label-smoothing", form, SmoothLabels(self.strength), keep_label)
