"""Distances to the k-th nearest neighbour, computed in tiles and without square roots."""

import numpy as np
import torch
from torch import Tensor

TILE = 1000  # rows of a matrix of distances that are in memory at once
NARROW = 128  # features up to which float64 costs little, and float32 would not resolve near neighbours
ROUNDING_STEPS = 64  # that such a product may lose, as a share of the squared norms
MOST_CLOSE = 64  # distances for each vector that are computed anew from differences
TIE = 2.0**-40  # share by which sums of the same squares may differ, by the order in which they are added
BLOCK = 2**22  # distances that are looked through at once
CHUNK = 2**16  # numbers that differences take at once: they stay in the cache of a core


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
    """Squared distance of each vector to its k-th nearest other one, float64 `(N,)`, for N > k.

    Neighbours are found by products of matrices, and their distances computed anew from differences.
    Every tile right of the diagonal is used twice: its rows for the first set of vectors, its columns for
    the second.
    """
    norms = vectors.square().sum(dim=1)
    nearest = vectors.new_full((len(vectors), k), torch.inf)
    indices = torch.zeros(len(vectors), k, dtype=torch.long, device=vectors.device)

    def merge(rows: slice, distances: Tensor, first: int) -> None:
        values, found = distances.topk(min(k, distances.shape[1]), largest=False)
        both = torch.cat([nearest[rows], values], 1).topk(k, largest=False)
        nearest[rows] = both.values
        indices[rows] = torch.cat([indices[rows], found + first], 1).gather(1, both.indices)

    for start in range(0, len(vectors), TILE):
        rows = slice(start, start + TILE)
        distances = squared_distances(vectors[rows], vectors[start:], norms[rows], norms[start:])
        count = len(distances)
        distances.diagonal().fill_(torch.inf)
        merge(rows, distances, start)
        if distances.shape[1] > count:
            merge(slice(start + count, None), distances[:, count:].T.contiguous(), start)
    owners = torch.arange(len(vectors), device=vectors.device).repeat_interleave(k)
    return exact_squared_distances(vectors, vectors, owners, indices.flatten()).view(-1, k).amax(dim=1)


def inside(
    distances: Tensor, x: Tensor, y: Tensor, x_norms: Tensor, y_norms: Tensor, radii: Tensor
) -> Tensor:
    """Which vectors lie in balls, bool `(N, M)`: not farther than their radius, however distances round.

    Cancellation leaves another number of a distance in each product of matrices, so that a copy of the
    neighbour that gave a ball its radius would lie outside of it half the time. Where rounding might decide,
    the distance is computed anew from differences, as `squared_radii` does.

    Args:
        distances: `squared_distances` of `x` and `y`, `(N, M)`.
        radii: squared, by `squared_radii`: of balls around `y`, `(M,)`, or around `x`, `(N, 1)`.
    """
    share = ROUNDING_STEPS * torch.finfo(distances.dtype).eps
    own, others = (x_norms[:, None], y_norms) if radii.dim() == 2 else (y_norms, x_norms)
    found = distances <= (radii + share * (own + others.max())).to(distances.dtype)
    reach = radii.expand(distances.shape)
    block = max(1, BLOCK // distances.shape[1])
    for start in range(0, len(x), block):  # of the few that may lie inside
        places = np.flatnonzero(found[start : start + block].cpu().numpy())
        rows, columns = (
            torch.from_numpy(each).to(found.device) for each in np.divmod(places, distances.shape[1])
        )
        rows += start
        excess = distances[rows, columns].double() - reach[rows, columns]
        is_close = excess.abs() <= share * (x_norms[rows] + y_norms[columns])
        outside = excess > 0
        if 0 < int(is_close.sum()) <= MOST_CLOSE * block:
            rounded = is_close.nonzero().flatten()
            one, other = rows[rounded], columns[rounded]
            outside[rounded] = exact_squared_distances(x, y, one, other) > reach[one, other] * (1 + TIE)
        else:  # none, or copies of one another, at no other distance
            outside &= ~is_close
        found[rows[outside], columns[outside]] = False
    return found


def exact_squared_distances(x: Tensor, y: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Squared distances of pairs of vectors from their differences, float64 `(P,)`: that of copies is 0.

    Args:
        rows, columns: indices of the vectors of `x` and `y`, `(P,)`.
    """
    chunk = max(1, CHUNK // x.shape[1])
    pairs = zip(torch.split(rows, chunk), torch.split(columns, chunk), strict=True)
    found = [(x[own] - y[others]).double().square().sum(dim=1) for own, others in pairs]
    return torch.cat(found) if found else x.new_zeros(0, dtype=torch.float64)


def squared_distances(x: Tensor, y: Tensor, x_norms: Tensor, y_norms: Tensor) -> Tensor:
    """Squared distances `|x|² + |y|² − 2 xᵀy`, `(N, M)`; beneath 0 by no more than rounding."""
    return torch.addmm(y_norms, x, y.T, alpha=-2).add_(x_norms[:, None])
