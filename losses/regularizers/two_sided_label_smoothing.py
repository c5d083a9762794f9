"""Sets the critic's targets to STRENGTH in (0.5, 1] and 1 − STRENGTH (Szegedy et al. 2015, section 7)."""

from losses.core.adversarial import Adversarial
from losses.core.labels import SmoothLabels, smooth_labels
from losses.core.regularizer import Relabel


class TwoSidedLabelSmoothing(Relabel):
    """Moves the critic's target for real samples to α, for fakes to 1 − α; the generator's stays 1.

    With a target above 0 for fakes the optimal critic follows p_fake where there is no real data, and so
    rewards the generator for staying there (Salimans et al. 2016, section 3.4): mostly of use to compare
    with the one-sided form.
    """

    def __init__(self, strength: float) -> None:
        if not 0.5 < strength <= 1:
            raise ValueError(
                f"two-sided-label-smoothing needs a target for reals in (0.5, 1], not {strength:g}"
            )
        super().__init__(strength)

    def wrap(self, form: Adversarial) -> Adversarial:
        smooth = SmoothLabels(self.strength)
        return smooth_labels("two-sided-label-smoothing", form, smooth, smooth)
