"""Counts of samples by mode or class, against what they should be."""

import torch
from torch import Tensor


def divergence(counts: Tensor, truth: Tensor) -> float:
    """`KL(counts / Σ counts ‖ truth)` in nats, for `(K,)` counts and positive probabilities."""
    share = counts.double() / counts.sum()
    return max(0.0, float((torch.special.xlogy(share, share) - torch.special.xlogy(share, truth)).sum()))


def uniform(classes: int) -> Tensor:
    """`(K,)`, each 1 / K, in float64."""
    return torch.full((classes,), 1 / classes, dtype=torch.float64)
