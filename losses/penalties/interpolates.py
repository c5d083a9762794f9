"""Penalizes gradients on straight lines between a real and a fake sample (WGAN-GP, Gulrajani et al. 2017)."""

import torch
from torch import Tensor

from losses.core.batch_parts import uniform_each
from losses.core.points import Points


class Interpolates(Points):
    """Interpolates of real and fake samples: `x̂ = ε x + (1 − ε) x̃` (algorithm 1, lines 4–6).

    There is one `ε ~ U[0, 1]` for each sample.

    >>> import torch
    >>> from losses.penalties.interpolates import Interpolates
    >>> points = Interpolates().choose(torch.zeros(3, 2), torch.ones(3, 2))
    >>> torch.equal(points[:, 0], points[:, 1])  # one ε for both numbers of a sample
    True
    """

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        epsilon = uniform_each(real)
        return torch.lerp(fake, real, epsilon).detach()
