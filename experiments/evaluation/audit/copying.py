"""Search for copies of training images: statistics of nearness, each calibrated by planted copies."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from experiments.core.seeds import generator_for
from experiments.evaluation.audit.calibration import (
    LEVEL,
    PLANTED,
    CalibratedStatistic,
    Calibration,
    Interval,
    Statistic,
    resampled,
)
from experiments.evaluation.audit.clusters import assign, k_means, mean_products, principal_axes
from experiments.evaluation.audit.sides import AuditSides
from metrics.core.memorization import (
    authentic_by_nearest,
    copying_score,
    exchange_probability,
    nearest,
    ranks_among,
    ratio,
)

LABELLINGS = 999  # random choices of training images, in the exchange test
LARGEST_WEIGHT = 5.0  # of a sample in it, −log of a ratio of distances: a copy's would be endless
PER_CELL = 60  # held-out images in a cell of C_T, about
EXCHANGE, TRAINING_RATIO = "exchange", "training ratio"


@dataclass(frozen=True)
class Closeness:
    """Nearness of N samples to the training and the held-out images, with their features.

    Attributes:
        authentic: as `authentic`, `(N,)`; neighbour_ratio: distance to the nearest training image over that
            to the second; training_ratio: that distance over its sum with that to the nearest held-out one.
        cells, ranks: of C_T. components: principal ones of the features, `(N, P)`.
        nearest_index, nearest_distance: of the nearest training image, `(N,)`.
        nearest_of_all: index of the nearest among training and reference images together, `(N,)`.
        weight: −log of its distance over that of the second, `(N,)`.
    """

    authentic: Tensor
    neighbour_ratio: Tensor
    training_ratio: Tensor
    cells: Tensor
    ranks: Tensor
    components: Tensor
    nearest_index: Tensor
    nearest_distance: Tensor
    nearest_of_all: Tensor
    weight: Tensor


class CopyingAudit:
    """Statistics of nearness for honest, generated and planted samples of an audit.

    Attributes:
        rows: rows of each set in the table of all samples, by name.
    """

    def __init__(self, sides: AuditSides, seed: int) -> None:
        self.sides, self.seed = sides, seed
        named = {"honest": sides.honest, "generated": sides.generated, **sides.planted}
        self.rows: dict[str, Tensor] = {}
        begin = 0
        for name, vectors in named.items():
            self.rows[name] = torch.arange(begin, begin + len(vectors))
            begin += len(vectors)
        every = torch.cat(list(named.values()))
        self.centres = k_means(sides.training, max(1, len(sides.reference) // PER_CELL), seed)
        self.mean, self.axes = principal_axes(sides.training)
        self.table = self._closeness(every)
        self.hit, self.place = torch.unique(self.table.nearest_of_all, return_inverse=True)
        self.labellings = self._random_labellings()
        reference_cells = assign(sides.reference, self.centres)
        self.held_out_counts = reference_cells.bincount(minlength=len(self.centres))
        self.moments = [
            tuple(part[0] for part in weighted_moments(self._project(each), each.new_ones(1, len(each))))
            for each in (sides.training, sides.reference)
        ]

    def _project(self, vectors: Tensor) -> Tensor:
        return (vectors - self.mean) @ self.axes

    def _closeness(self, vectors: Tensor) -> Closeness:
        """Computes what is known of samples."""
        training, reference = self.sides.training, self.sides.reference
        distances, indices = nearest(vectors, training, 2)
        to_held_out, held_out_indices = nearest(vectors, reference, 2)
        # The two nearest of all are among the two nearest of each side.
        to_all, order = torch.cat([distances, to_held_out], dim=1).sort(dim=1, stable=True)
        of_all = torch.cat([indices, len(training) + held_out_indices], dim=1).gather(1, order)
        cells = assign(vectors, self.centres)
        own, own_cells = nearest(reference, training)[0][:, 0], assign(reference, self.centres)
        return Closeness(
            authentic=authentic_by_nearest(distances[:, 0], indices[:, 0], training).double(),
            neighbour_ratio=ratio(distances[:, 0], distances[:, 1]),
            training_ratio=ratio(distances[:, 0], distances[:, 0] + to_held_out[:, 0]),
            cells=cells,
            ranks=ranks_among(distances[:, 0], cells, own, own_cells),
            components=self._project(vectors),
            nearest_index=indices[:, 0],
            nearest_distance=distances[:, 0],
            nearest_of_all=of_all[:, 0],
            weight=-ratio(to_all[:, 0], to_all[:, 1]).clamp(min=math.exp(-LARGEST_WEIGHT)).log(),
        )

    def statistics(self) -> Mapping[str, tuple[str, Statistic]]:
        """The statistics, all of which copies lower: name → meaning, function of rows."""
        table = self.table

        def mean_of(values: Tensor, rows: Tensor, counts: Tensor) -> Tensor:
            return counts @ values[rows] / counts.sum(dim=1)

        return {
            "AuthPct": (
                "share farther from training than that from itself",
                partial(mean_of, table.authentic),
            ),
            "C_T": ("ranks of distances to training, by cells", self._copying_score),
            "neighbour ratio": (
                "first over second distance to training",
                partial(mean_of, table.neighbour_ratio),
            ),
            TRAINING_RATIO: (
                "distance to training over that and the one to held-out",
                partial(mean_of, table.training_ratio),
            ),
            "distance gap": ("Fréchet distance to training less that to held-out", self._distance_gap),
            EXCHANGE: ("probability that held-out images would be as near", self._exchange),
        }

    def _copying_score(self, rows: Tensor, counts: Tensor) -> Tensor:
        of_cells = one_hot(self.table.cells[rows], len(self.centres)).double()
        ranks = of_cells * self.table.ranks[rows, None]
        return copying_score(counts @ of_cells, counts @ ranks, self.held_out_counts)

    def _distance_gap(self, rows: Tensor, counts: Tensor) -> Tensor:
        own = weighted_moments(self.table.components[rows], counts)
        to_training, to_held_out = (frechet_distances(own, moments) for moments in self.moments)
        return to_training - to_held_out

    def _exchange(self, rows: Tensor, counts: Tensor) -> Tensor:
        hit, place = torch.unique(self.place[rows], return_inverse=True)
        weights = torch.zeros(len(counts), len(hit), dtype=torch.float64)
        weights.index_add_(1, place, counts * self.table.weight[rows])
        is_training = self.hit[hit] < len(self.sides.training)
        return exchange_probability(weights, is_training, self.labellings[:, hit])

    def _random_labellings(self) -> Tensor:
        """Random choices of as many images as are training, among those that are nearest to any sample."""
        random = generator_for(self.seed, "audit", "labels")
        training = len(self.sides.training)
        total = training + len(self.sides.reference)
        return torch.stack(
            [torch.randperm(total, generator=random)[self.hit] < training for _ in range(LABELLINGS)]
        )

    def faults(self) -> Mapping[str, Callable[[float], Tensor]]:
        """Functions that draw sets with a share of planted copies, by their kind."""
        return {kind: partial(self._plant, kind) for kind in self.sides.planted}

    def _plant(self, kind: str, share: float) -> Tensor:
        count = len(self.rows["generated"])
        number = round(share * count)
        random = generator_for(self.seed, "audit", "sources", kind, str(share))
        # No copy twice in a set, or each as often: a copying generator repeats itself no more than others do.
        rounds = max(1, math.ceil(number / len(self.rows[kind])))
        order = torch.rand(PLANTED, rounds, len(self.rows[kind]), generator=random).argsort(dim=2)
        planted = order.flatten(1)[:, :number]
        others = resampled(self.rows["honest"], count - number, PLANTED, self.seed, "beside", kind, share)
        return torch.cat([self.rows[kind][planted], others], dim=1)

    def calibrated(self) -> list[CalibratedStatistic]:
        """All statistics of the run, with what they would have found."""
        named = self.statistics()
        sets = Calibration(
            self.rows["honest"], self.rows["generated"], self.faults(), self.seed, tests=len(named)
        )
        known = {EXCHANGE: Interval((1 - LEVEL) / 2 / len(named), 1.0)}
        return [
            sets.calibrate(name, meaning, statistic, falls=True, known=known.get(name))
            for name, (meaning, statistic) in named.items()
        ]


def weighted_moments(vectors: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Means and covariances of R sets of vectors `(N, P)`, each vector as often as counts `(R, N)` say."""
    total = counts.sum(dim=1)
    mean = counts @ vectors / total[:, None]
    second = mean_products(vectors, counts)
    unbiased = (total / (total - 1).clamp(min=1))[:, None, None]
    return mean, (second - mean[:, :, None] * mean[:, None, :]) * unbiased


def frechet_distances(own: tuple[Tensor, Tensor], other: tuple[Tensor, ...]) -> Tensor:
    """Fréchet distances of R Gaussians to another, `(R,)`."""
    values, vectors = torch.linalg.eigh(other[1])
    root = vectors * values.clamp(min=0).sqrt() @ vectors.mT
    inner = torch.linalg.eigvalsh(root @ own[1] @ root).clamp(min=0).sqrt().sum(dim=-1)
    traces = own[1].diagonal(dim1=-2, dim2=-1).sum(dim=-1) + other[1].trace()
    return (own[0] - other[0]).square().sum(dim=-1) + traces - 2 * inner


def is_trusted(statistic: CalibratedStatistic) -> bool:
    """Whether a statistic would have found some share of exact copies."""
    return math.isfinite(statistic.found.get("exact") or math.inf)
