"""Statistics of how near samples lie to the training data: functions of distances, without a model or data.

All distances are Euclidean, between feature vectors of one extractor.
"""

import torch
from torch import Tensor

from metrics.core.neighbours import NARROW, TILE

ROUNDING = 2.0**-17  # most that float32 loses of such a product, as a share of the squared norms
SPARE = 8  # candidates beside the nearest, whose order float32 may confuse
LEAST_IN_CELL = 10  # samples of either side, below which a cell of `copying_score` says nothing


def nearest(vectors: Tensor, reference: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
    """Finds the nearest reference vectors: distances, float64 `(N, count)`, ascending, and their indices.

    They are found by `|x|² + |y|² − 2 xᵀy`, and their distances computed anew from differences: that of a
    copy is 0, and not what cancellation leaves. Of more than `NARROW` features, that product is made in
    float32, which takes half the time: some more candidates are looked at, and where a vector that is none of
    them might be nearer, by what float32 leaves of the product, it is made again in float64.

    Args:
        vectors, reference: `(N, D)` and `(M, D)`, M at least `count`.

    >>> import torch
    >>> from metrics.core.memorization import nearest
    >>> distances, indices = nearest(torch.tensor([[0.0], [5.0]]), torch.tensor([[4.0], [1.0]]))
    >>> distances.tolist(), indices.tolist()
    ([[1.0], [1.0]], [[1], [0]])
    """
    mean = reference.double().mean(dim=0)
    x, y = vectors.double() - mean, reference.double() - mean
    is_wide = x.shape[1] > NARROW
    left, right = (x.float(), y.float()) if is_wide else (x, y)
    candidates = min(count + SPARE * is_wide, len(y))
    norms, found = right.square().sum(dim=1), []
    slack = ROUNDING * float(norms.max()) if candidates < len(y) and is_wide else 0.0
    for rows, product_rows in zip(torch.split(x, TILE), torch.split(left, TILE), strict=True):
        products = torch.addmm(norms, product_rows, right.T, alpha=-2)
        values, near = products.topk(candidates, largest=False)
        exact, near = _sorted_by_distance(rows, y, near, count)
        if slack:
            own = rows.square().sum(dim=1)
            is_unsure = values[:, -1] + own - slack - ROUNDING * own < exact[:, -1].square()
            if is_unsure.any():
                again = torch.addmm(y.square().sum(dim=1), rows[is_unsure], y.T, alpha=-2)
                again = again.topk(candidates, largest=False).indices
                exact[is_unsure], near[is_unsure] = _sorted_by_distance(rows[is_unsure], y, again, count)
        found.append((exact, near))
    distances, indices = zip(*found, strict=True)
    return torch.cat(distances), torch.cat(indices)


def _sorted_by_distance(x: Tensor, y: Tensor, candidates: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The nearest of the candidates `(N, K)` for each vector, with their distances, ascending."""
    exact = (x[:, None] - y[candidates]).norm(dim=2)
    order = exact.argsort(dim=1, stable=True)[:, :count]
    return exact.gather(1, order), candidates.gather(1, order)


def authentic(vectors: Tensor, training: Tensor) -> Tensor:
    """Which vectors are authentic, bool `(N,)`: no nearer to a training vector than that to its own next.

    With i the nearest training vector of x: `d(x, tᵢ) > min over j ≠ i of d(tᵢ, tⱼ)` (Alaa et al. 2022,
    arXiv:2102.08921, section 4.2).

    >>> import torch
    >>> from metrics.core.memorization import authentic
    >>> authentic(torch.tensor([[0.1], [3.0]]), torch.tensor([[0.0], [1.0]])).tolist()
    [False, True]
    """
    distances, indices = nearest(vectors, training)
    return authentic_by_nearest(distances[:, 0], indices[:, 0], training)


def authentic_by_nearest(distances: Tensor, indices: Tensor, training: Tensor) -> Tensor:
    """Which vectors are authentic, where distance and index of their nearest training vector are known.

    Args:
        distances, indices: `(N,)`, by `nearest`.
    """
    hit, place = torch.unique(indices, return_inverse=True)
    own = nearest(training[hit], training, 2)[0][:, 1]
    return distances > own[place]


def ratio(first: Tensor, second: Tensor) -> Tensor:
    """Ratio of distances, `first / second`; 1 where both are 0.

    >>> import torch
    >>> from metrics.core.memorization import ratio
    >>> ratio(torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 2.0, 2.0])).tolist()
    [1.0, 0.0, 0.5]
    """
    return torch.where(second > 0, first / second.where(second > 0, 1.0), (first == 0).to(first.dtype))


def ranks_among(values: Tensor, cells: Tensor, others: Tensor, other_cells: Tensor) -> Tensor:
    """Number of other values in the same cell that are smaller, ties counting a half; float64 `(N,)`.

    Args:
        values, others: `(N,)` and `(M,)`; cells, other_cells: the cell of each, int64.
    """
    found = torch.zeros(len(values), dtype=torch.float64)
    for cell in torch.unique(cells).tolist():
        own = others[other_cells == cell].sort().values
        here = values[cells == cell].contiguous()
        below, to = (torch.searchsorted(own, here, right=right).double() for right in (False, True))
        found[cells == cell] = (below + to) / 2
    return found


def copying_score(counts: Tensor, ranks: Tensor, held_out_counts: Tensor) -> Tensor:
    """Computes C_T of R sets of samples: the weighted mean over cells of Mann and Whitney's z, `(R,)`.

    Below 0 samples are nearer to the training data than held-out samples are (Meehan et al. 2020,
    arXiv:2004.05675, section 4): `C_T = Σ P(c) Z(c) / Σ P(c)` over the cells that have enough of either
    side, where P is the share of the held-out samples, and Z compares distances to the nearest training
    vector.

    Args:
        counts: samples of each set in each cell, `(R, K)`.
        ranks: sums of their numbers by `ranks_among`, `(R, K)`.
        held_out_counts: held-out samples in each cell, `(K,)`.

    Sets without a cell that has enough have 0.

    >>> import torch
    >>> from metrics.core.memorization import copying_score
    >>> scores = copying_score(torch.tensor([[10.0]]), torch.tensor([[0.0]]), torch.tensor([10.0]))
    >>> round(scores.item(), 3)  # all ten nearer than all ten held-out ones: −50 / √(100 · 21 / 12)
    -3.78
    """
    counts, others = counts.double(), held_out_counts.double()
    usable = (counts >= LEAST_IN_CELL) & (others >= LEAST_IN_CELL)
    deviation = (counts * others * (counts + others + 1) / 12).sqrt().clamp(min=1e-12)
    z = (ranks.double() - counts * others / 2) / deviation
    weight = others * usable
    return (weight * z).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-12)


def exchange_probability(weights: Tensor, is_training: Tensor, labellings: Tensor) -> Tensor:
    """Probability that chance puts as much weight on training vectors, for R sets of samples, `(R,)`.

    To a generator that knows nothing by heart, training and held-out vectors are exchangeable, however poor
    it is: which of them are training is a random choice. So the weight on those that are is compared with the
    weight on those that random choices of as many would have (a permutation test).

    Args:
        weights: of R sets on P vectors, training and held-out ones, `(R, P)`.
        is_training: bool `(P,)`; labellings: B random choices, bool `(B, P)`.

    >>> import torch
    >>> from metrics.core.memorization import exchange_probability
    >>> labellings = torch.tensor([[True, False], [False, True], [False, True]])
    >>> exchange_probability(torch.tensor([[3.0, 1.0]]), torch.tensor([True, False]), labellings).tolist()
    [0.5]
    """
    weights = weights.double()
    own = weights @ is_training.double()
    others = weights @ labellings.double().T
    return (1 + (others >= own[:, None] - 1e-9).sum(dim=1)) / (1.0 + len(labellings))
