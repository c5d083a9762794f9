"""Diversity of samples: their mean distance, a sign of mode collapse that needs no feature extractor."""

from math import sqrt

import torch
from torch import Tensor

MOST_COMPARED = 512  # pairs grow with the square: those of a scatter plot's 2,000 points would take 30 ms


def pairwise_distance(samples: Tensor) -> Tensor:
    """Mean root mean square difference over all pairs of samples `(N, …)`, N ≥ 2: a float32 scalar.

    It lies on the CPU, in the units of the samples, whatever their size. That of images in [−1, 1] is in [0,
    2]. Of more than 512 samples, the first are compared.
    """
    flat = samples[:MOST_COMPARED].detach().float().flatten(1).cpu()
    return torch.pdist(flat).mean() / sqrt(flat.shape[1])
