"""Penalizes gradient norms other than one (WGAN-GP, Gulrajani et al. 2017)."""

from torch import Tensor

from losses.core.penalty_norm import PenaltyNorm, safe_sqrt


class OneCentred(PenaltyNorm):
    """Penalty on the distance of the gradient norm from one: `(‖∇C‖ − 1)²` (equation 3).

    >>> from torch import Tensor
    >>> from losses.penalty_norms.one import OneCentred
    >>> OneCentred()(Tensor([4.0]))
    tensor([1.])
    """

    def __call__(self, squared: Tensor) -> Tensor:
        return (safe_sqrt(squared) - 1).square()
