"""Penalizes gradient norms above one only (WGAN-LP, Petzka et al. 2018)."""

from torch import Tensor

from losses.core.penalty_norm import PenaltyNorm, safe_sqrt


class OneSided(PenaltyNorm):
    """Penalty on gradient norms above one: `max(0, ‖∇C‖ − 1)²` (equation 8).

    >>> from torch import Tensor
    >>> from losses.penalty_norms.one_sided import OneSided
    >>> OneSided()(Tensor([0.25, 4.0]))
    tensor([0., 1.])
    """

    def __call__(self, squared: Tensor) -> Tensor:
        return (safe_sqrt(squared) - 1).relu().square()
