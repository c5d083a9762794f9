"""Exponential moving average of a generator, counted in images shown."""

import copy

import torch
from torch import Tensor, nn


class ExponentialMovingAverage:
    """Follows a network: `average ← lerp(network, average, β)` with `β = ½^(images / half-life)`.

    Early on the half-life is a share of the images shown so far (StyleGAN2's ramp-up), so that the random
    start is forgotten in short runs too. Buffers are copied, not averaged: stale batch-norm statistics
    under averaged weights are a common fault.

    Args:
        network: what to follow.
        half_life_kimg: thousands of images after which a state counts half; 0 keeps the live network.
        ramp_up: largest half-life as a share of the images shown so far.
    """

    def __init__(self, network: nn.Module, half_life_kimg: float, ramp_up: float = 0.05) -> None:
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life_kimg = half_life_kimg
        self.ramp_up = ramp_up
        self._averages: list[Tensor] = list(self.average.parameters())
        self._parameters: list[Tensor] = list(network.parameters())
        self._stale, self._buffers = list(self.average.buffers()), list(network.buffers())

    @torch.no_grad()
    def follow(self, seen: int, images: int) -> None:
        """Moves towards the network after `images` more were shown, `seen` in all."""
        half_life = min(self.half_life_kimg * 1000, seen * self.ramp_up)
        weight = 1.0 - (0.5 ** (images / half_life) if half_life > 0 else 0.0)
        torch._foreach_lerp_(self._averages, self._parameters, weight)
        if self._buffers:
            torch._foreach_copy_(self._stale, self._buffers)
