"""Distances to the k-th nearest neighbour, computed in tiles and without square roots."""

import torch
from torch import Tensor

TILE = 1000  # rows of a matrix of distances that are in memory at once
NARROW = 128  # features up to which float64 costs little, and float32 would not resolve near neighbours


def prepared(real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """Centres both sets on the mean of `real`: distances stay, and their cancellation shrinks.

    Args:
        real, generated: `(M, D)` and `(N, D)`.
    """
    dtype = torch.promote_types(real.dtype, generated.dtype)
    dtype = torch.float64 if real.shape[1] <= NARROW else dtype
    mean = real.double().mean(dim=0).to(dtype)
    return real.to(dtype) - mean, generated.to(dtype) - mean


def squared_radii(vectors: Tensor, k: int) -> Tensor:
    """Squared distance of each vector to its k-th nearest other one, `(N,)`, for N > k.

    Every tile right of the diagonal is used twice: its rows for the first set of vectors, its columns for
    the second.
    """
    norms = vectors.square().sum(dim=1)
    nearest = vectors.new_full((len(vectors), k), torch.inf)
    for start in range(0, len(vectors), TILE):
        rows = slice(start, start + TILE)
        distances = squared_distances(vectors[rows], vectors[start:], norms[rows], norms[start:])
        count = len(distances)
        distances.diagonal().fill_(torch.inf)
        of_rows = torch.cat(
            [nearest[rows], distances.topk(min(k, distances.shape[1]), largest=False).values], 1
        )
        nearest[rows] = of_rows.topk(k, largest=False).values
        if distances.shape[1] > count:
            columns = distances[:, count:].T.contiguous()
            of_columns = torch.cat(
                [nearest[start + count :], columns.topk(min(k, count), largest=False).values], 1
            )
            nearest[start + count :] = of_columns.topk(k, largest=False).values
    return nearest.amax(dim=1)


def squared_distances(x: Tensor, y: Tensor, x_norms: Tensor, y_norms: Tensor) -> Tensor:
    """Squared distances `|x|² + |y|² − 2 xᵀy`, `(N, M)`; beneath 0 by no more than rounding."""
    return torch.addmm(y_norms, x, y.T, alpha=-2).add_(x_norms[:, None])
