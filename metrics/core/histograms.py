"""Histograms of samples over modes or classes, and their divergence from the true frequencies."""

import torch
from torch import Tensor


def divergence(counts: Tensor, truth: Tensor) -> float:
    """KL divergence of observed from true frequencies, `KL(counts / Σ counts ‖ truth)`, in [0, ∞) nats.

    Args:
        counts: `(K,)`, not all 0.
        truth: `(K,)`, positive probabilities.
    """
    share = counts.double() / counts.sum()
    return max(0.0, float((torch.special.xlogy(share, share) - torch.special.xlogy(share, truth)).sum()))


def uniform(classes: int) -> Tensor:
    """The uniform distribution `(K,)`, each 1 / K, in float64."""
    return torch.full((classes,), 1 / classes, dtype=torch.float64)
