"""Around the reals, as DRAGAN's authors wrote it in their code (Kodali et al. 2017)."""

import torch
from torch import Tensor

from losses.core.points import Points

SPREAD = 0.5


class Dragan(Points):
    """`x̂ = x + α · ½ std(x) · u` with `u ~ U[0, 1)` for each number and one `α ~ U[0, 1)` for each sample.

    The deviation is that of the whole batch. The paper's text has Gaussian noise instead: that is the
    place `dragan-gaussian`.
    """

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        alpha = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
        noise = torch.rand_like(real) * (SPREAD * real.std(correction=0))
        return (real + alpha * noise).detach()
