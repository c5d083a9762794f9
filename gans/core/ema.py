"""Exponential moving average (EMA) of a network, counted in images shown."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from losses.core.options import option
from losses.core.schedule import Scheduled, value_at


@dataclass(frozen=True)
class EmaOptions:
    """Options of the EMA: its ramp-up."""

    ramp_up: float | None = option(
        0.05, "Largest half-life as a share of the images shown before; none: no ramp-up.", above=0.0
    )


class ExponentialMovingAverage:
    """EMA of a network: `average ← lerp(network, average, β)` with `β = ½^(images / half-life)`.

    Early on the half-life is a share of the images shown before the round (StyleGAN2's ramp-up), so that the
    random start is forgotten in short runs too. Buffers are copied, not averaged: stale batch-norm statistics
    under an EMA of the weights are a common fault.

    Args:
        network: the network to average.
        half_life_kimg: thousands of images after which a state counts half, which may move over the run; 0
            keeps the live network.
        options: the ramp-up.
    """

    def __init__(
        self,
        network: nn.Module,
        half_life_kimg: Scheduled,
        options: EmaOptions = EmaOptions(),
    ) -> None:
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life_kimg = half_life_kimg
        self.ramp_up = options.ramp_up
        self._network = (network,)
        self.find_tensors()

    def find_tensors(self) -> None:
        """Finds the tensors of both networks, anew where `.to(device)` may have put others in their place."""
        (network,) = self._network
        self._averages: list[Tensor] = list(self.average.parameters())
        self._parameters: list[Tensor] = list(network.parameters())
        self._stale, self._buffers = list(self.average.buffers()), list(network.buffers())

    @torch.no_grad()
    def follow(self, seen: int, images: int, progress: float = 0.0) -> None:
        """Updates the EMA after `images` more were shown.

        Args:
            seen: images shown in all.
            images: images shown since the last update.
            progress: share of the run that is over.
        """
        half_life = value_at(self.half_life_kimg, progress) * 1000
        if self.ramp_up is not None:
            half_life = min(half_life, (seen - images) * self.ramp_up)
        weight = 1.0 - (0.5 ** (images / half_life) if half_life > 0 else 0.0)
        torch._foreach_lerp_(self._averages, self._parameters, weight)
        if self._buffers:
            torch._foreach_copy_(self._stale, self._buffers)
