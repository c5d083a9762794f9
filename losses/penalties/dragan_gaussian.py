"""Around the reals with Gaussian noise, as the text of DRAGAN has it (Kodali et al. 2017)."""

import torch
from torch import Tensor

from losses.core.points import Points

SPREAD = 0.5


class DraganGaussian(Points):
    """`x̂ = x + δ` with `δ ~ N(0, (½ std(x))²)` for each number (algorithm 1).

    The paper's deviation is a constant; it is measured in the batch's own here, as in the authors' code, so
    that it means the same for images and for points.
    """

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        return (real + torch.randn_like(real) * (SPREAD * real.std(correction=0))).detach()
