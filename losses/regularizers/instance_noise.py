"""Adds Gaussian noise to the critic's images, std STRENGTH fading to 0 (Sønderby et al. 2016, 3.1)."""

import torch
from torch import Tensor

from losses.core.batch_parts import draw_like
from losses.core.regularizer import View
from losses.core.schedule import linear


class InstanceNoise(View):
    """Adds instance noise: `x + σ (1 − p) n` with `n ~ N(0, 1)`, p the share of the run that is over.

    Both distributions get full support, so that they overlap.

    The noise falls linearly from σ to 0 over the run, so that the generator ends with the data and not with
    its blurred copy.
    """

    def __init__(self, strength: float) -> None:
        if not strength > 0:
            raise ValueError(f"instance-noise needs a deviation above 0, not {strength:g}")
        super().__init__(strength)

    def see(self, samples: Tensor, progress: float) -> Tensor:
        return samples + self.strength * linear(progress) * draw_like(torch.randn_like, samples)
