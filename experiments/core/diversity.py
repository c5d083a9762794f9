"""How far samples are apart: the sign of mode collapse that needs no judge."""

from math import sqrt

import torch
from torch import Tensor


def pairwise_distance(samples: Tensor) -> Tensor:
    """The mean over all pairs of samples `(N, …)`, N ≥ 2, of the root mean square difference of their
    numbers: a float32 scalar on the CPU, in the units of the samples, whatever their size. That of images in
    [−1, 1] is in [0, 2]."""
    flat = samples.detach().float().flatten(1).cpu()
    return torch.pdist(flat).mean() / sqrt(flat.shape[1])
