"""Mixtures of equal, round Gaussians in the plane."""

import torch
from torch import Tensor

from experiments.data.core.dataset import InMemoryData

LENGTH = 100_000
SEED = 20140610  # the points are one fixed data set, whatever the seed of a run
HELD_OUT_SEED = SEED + 1


def gaussians(centres: Tensor, sigma: float, seed: int = SEED) -> InMemoryData:
    """Draws `LENGTH` points around `centres` `(M, 2)`, float32 `(N, 2)`; point i has label i mod M."""
    labels = torch.arange(LENGTH) % len(centres)
    noise = torch.randn(LENGTH, 2, generator=torch.Generator().manual_seed(seed))
    points = InMemoryData(centres[labels] + sigma * noise, labels, mode_names(centres))
    points.mixture = centres, sigma
    return points


def mode_names(centres: Tensor) -> list[str]:
    """Names of the modes, as class names."""
    return [f"mode {mode}" for mode in range(len(centres))]
