"""Adds Gaussian noise to whatever the critic is shown, real and fake (Sønderby et al. 2016, 3.1)."""

import torch
from torch import Tensor

from losses.regularizers import View


class InstanceNoise(View):
    """`x + σ n` with `n ~ N(0, 1)`: both distributions get full support, so that they overlap."""

    def __init__(self, strength: float) -> None:
        if not strength > 0:
            raise ValueError(f"instance-noise needs a deviation above 0, not {strength:g}")
        super().__init__(strength)

    def see(self, samples: Tensor) -> Tensor:
        return samples + self.strength * torch.randn_like(samples)
