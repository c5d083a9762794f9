"""Clusters of feature vectors, by k-means, and their principal axes."""

import torch
from torch import Tensor

from experiments.core.seeds import generator_for

ROUNDS = 20
MOST_VECTORS = 20_000
COMPONENTS = 32  # principal ones that are kept


def k_means(vectors: Tensor, count: int, seed: int) -> Tensor:
    """Finds `count` centres of clusters `(K, D)` by Lloyd's algorithm, from vectors drawn at random."""
    random = generator_for(seed, "audit", "clusters")
    order = torch.randperm(len(vectors), generator=random)[:MOST_VECTORS]
    vectors = vectors[order]
    centres = vectors[: min(count, len(vectors))].clone()
    for _ in range(ROUNDS):
        cells = assign(vectors, centres)
        sums = torch.zeros_like(centres).index_add_(0, cells, vectors)
        sizes = cells.bincount(minlength=len(centres))
        centres = torch.where((sizes > 0)[:, None], sums / sizes.clamp(min=1)[:, None], centres)
    return centres


def assign(vectors: Tensor, centres: Tensor) -> Tensor:
    """The nearest centre of each vector, int64 `(N,)`."""
    norms = centres.square().sum(dim=1)
    return torch.cat(
        [torch.addmm(norms, part, centres.T, alpha=-2).argmin(dim=1) for part in torch.split(vectors, 5000)]
    )


def principal_axes(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and principal axes of vectors, `(D,)` and `(D, P)`, at most `COMPONENTS` of them."""
    mean = vectors.mean(dim=0)
    centred = vectors - mean
    _, axes = torch.linalg.eigh(centred.T @ centred / len(vectors))
    return mean, axes[:, -min(COMPONENTS, axes.shape[1]) :]


def mean_products(vectors: Tensor, counts: Tensor) -> Tensor:
    """Means of `xxᵀ` over R sets of vectors `(N, P)`, each as often as counts `(R, N)` say; `(R, P, P)`.

    Only a half of these symmetric matrices is summed up.
    """
    width = vectors.shape[1]
    first, second = torch.triu_indices(width, width)
    sums = counts @ (vectors[:, first] * vectors[:, second]) / counts.sum(dim=1, keepdim=True)
    found = sums.new_empty(len(counts), width, width)
    found[:, first, second] = sums
    found[:, second, first] = sums
    return found
