"""Search for lost modes: statistics of variety, each calibrated by classes or clusters that are dropped."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from experiments.core.seeds import generator_for
from experiments.evaluation.audit.calibration import (
    PLANTED,
    CalibratedStatistic,
    Calibration,
    Statistic,
)
from experiments.evaluation.audit.clusters import assign, k_means, mean_products, principal_axes
from experiments.evaluation.audit.sides import AuditSides
from metrics.core.memorization import nearest
from metrics.core.neighbours import inside, prepared, squared_distances, squared_radii
from metrics.vendi import vendi_scores

CLUSTERS = 20
K = 5  # nearest neighbour that a ball of coverage reaches to
DROPPED = "dropped"


class VarietyAudit:
    """Statistics of variety for honest and generated samples of an audit.

    Modes are the classes of the data, each sample in that of its nearest training image; or else `CLUSTERS`
    clusters of the training features.

    Args:
        nearest_index: of the nearest training image of each honest, then of each generated sample, where it
            is known.

    Attributes:
        modes: number of modes; are_classes: whether they are the classes of the data.
    """

    def __init__(self, sides: AuditSides, seed: int, nearest_index: Tensor | None = None) -> None:
        self.seed = seed
        every = torch.cat([sides.honest, sides.generated])
        self.honest = torch.arange(len(sides.honest))
        self.generated = torch.arange(len(sides.honest), len(every))
        self.are_classes = sides.labels is not None and int(sides.labels.max()) > 0
        if self.are_classes:
            assert sides.labels is not None
            if nearest_index is None:
                nearest_index = nearest(every, sides.training)[1][:, 0]
            self.cells = sides.labels[nearest_index]
            training_cells = sides.labels
        else:
            centres = k_means(sides.training, CLUSTERS, seed)
            self.cells, training_cells = assign(every, centres), assign(sides.training, centres)
        counts = training_cells.bincount(minlength=int(self.cells.max()) + 1)
        self.shares, self.modes = counts.double() / counts.sum(), int((counts > 0).sum())
        self.covers = _in_balls(every, sides.reference).double()
        mean, axes = principal_axes(sides.training)
        components = (every - mean) @ axes
        self.unit = components / components.norm(dim=1, keepdim=True).clamp(min=1e-12)

    def statistics(self) -> Mapping[str, tuple[str, Statistic, bool]]:
        """The statistics: name → meaning, function of rows, and whether lost modes lower it."""
        kind = "classes" if self.are_classes else "clusters"
        return {
            f"{kind} covered": (f"share of the {kind} with a sample", self._covered, True),
            f"{kind} lacking": (f"share of samples that {kind} lack", self._lacking, False),
            "coverage": ("share of held-out images with a sample near by", self._coverage, True),
            "Vendi score": ("effective number of different samples", self._vendi, True),
        }

    def _frequencies(self, rows: Tensor, counts: Tensor) -> Tensor:
        found = counts @ one_hot(self.cells[rows], len(self.shares)).double()
        return found / counts.sum(dim=1, keepdim=True)

    def _covered(self, rows: Tensor, counts: Tensor) -> Tensor:
        return (self._frequencies(rows, counts) > 0).double().sum(dim=1) / self.modes

    def _lacking(self, rows: Tensor, counts: Tensor) -> Tensor:
        """Total variation distance of the frequencies from those of training."""
        return (self.shares - self._frequencies(rows, counts)).clamp(min=0).sum(dim=1)

    def _coverage(self, rows: Tensor, counts: Tensor) -> Tensor:
        return (counts @ self.covers[rows] > 0).double().mean(dim=1)

    def _vendi(self, rows: Tensor, counts: Tensor) -> Tensor:
        return vendi_scores(mean_products(self.unit[rows], counts))

    def _drop(self, share: float) -> Tensor:
        """Draws sets of honest samples without modes of about a share, other ones in each set."""
        random = generator_for(self.seed, "audit", "modes", str(share))
        count, found = len(self.generated), []
        for _ in range(PLANTED):
            order = torch.randperm(len(self.shares), generator=random)
            dropped = order[self.shares[order].cumsum(0) - self.shares[order] / 2 < share]
            left = self.honest[~torch.isin(self.cells[self.honest], dropped)]
            left = left if len(left) else self.honest[:1]
            found.append(left[torch.randint(len(left), (count,), generator=random)])
        return torch.stack(found)

    def calibrated(self) -> list[CalibratedStatistic]:
        """All statistics of the run, with the smallest share of lost modes that they would have found."""
        named = self.statistics()
        sets = Calibration(self.honest, self.generated, {DROPPED: self._drop}, self.seed, tests=len(named))
        return [
            sets.calibrate(name, meaning, statistic, falls)
            for name, (meaning, statistic, falls) in named.items()
        ]


def _in_balls(every: Tensor, reference: Tensor) -> Tensor:
    """Which vectors lie in balls around reference images, up to their K-th neighbours, bool `(N, M)`."""
    centres, vectors = prepared(reference, every)
    sides = vectors, centres, vectors.square().sum(dim=1), centres.square().sum(dim=1)
    return inside(squared_distances(*sides), *sides, squared_radii(centres, min(K, len(centres) - 1)))
