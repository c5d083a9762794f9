"""Penalizes gradient norms above zero (R1 and R2, Mescheder et al. 2018)."""

from torch import Tensor

from losses.core.penalty_norm import PenaltyNorm


class ZeroCentred(PenaltyNorm):
    """Penalty on the squared gradient norm: `‖∇C‖² / 2` (equation 9, whose weight is γ).

    >>> from torch import Tensor
    >>> from losses.penalty_norms.zero import ZeroCentred
    >>> ZeroCentred()(Tensor([4.0]))
    tensor([2.])
    """

    def __call__(self, squared: Tensor) -> Tensor:
        return squared / 2
