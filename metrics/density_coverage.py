"""Density and coverage: precision and recall made robust to outliers (Naeem et al. 2020)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core import neighbours
from metrics.core.batches import Rows, checked, too_few
from metrics.core.by_class import ByClass
from metrics.core.level import EvaluatedData, Level
from metrics.core.metric import Metric, Reference, Takes


@dataclass(frozen=True)
class DensityCoverageOptions:
    """Options of density and coverage; the default is the authors'."""

    k: int = field(default=5, metadata={"help": "Nearest neighbour that a ball reaches to.", "at_least": 1})


def _density_of_real_data(data: EvaluatedData) -> float:
    """Density of other real samples: 1 in expectation."""
    return 1.0


def _coverage_of_real_data(data: EvaluatedData) -> float:
    """Expected coverage of N other real samples for M real ones; `1 − 2⁻ᵏ` where both are endless.

    A ball is empty where the k nearest of all N + M − 1 other samples are real ones.
    """
    real, count, k = data.real_count, data.count, data.options.k
    if real is None or count is None or real <= k:
        return float(1 - 0.5**k)
    return float(1 - math.prod((real - i) / (real + count - i) for i in range(1, k + 1)))


class DensityCoverage(Metric):
    """Mean number of real balls around a sample over k, and share of real balls with any (equations 3, 4).

    A ball around a real vector reaches to its k-th nearest other real one, and holds that one: copies of all
    real vectors have a density of 1 + 1/k. The authors' code leaves the edges out, which matters to copies
    alone.

    Args:
        reference: `(M, D)`, the real vectors by the same extractor.
        options: k.

    Scores: `density` in [0, M / k], 1 in expectation for samples of the real distribution; `coverage` in
    [0, 1], whose expectation for such samples is 1 − (M−1)…(M−k) / (2M−1)…(2M−k) with as many samples as
    real ones.

    Raises:
        ValueError: no more than k real vectors, or no samples.

    >>> import torch
    >>> from metrics.density_coverage import DensityCoverage, DensityCoverageOptions
    >>> metric = DensityCoverage(torch.tensor([[0.0], [1.0], [2.0], [10.0]]), DensityCoverageOptions(k=1))
    >>> metric.update(torch.tensor([[-3.0], [0.5], [4.0]]))
    >>> metric.compute()  # balls [−1, 1], [0, 2], [1, 3], [2, 18]: −3 lies in none, 0.5 in two, 4 in one
    {'density': 1.0, 'coverage': 0.75}
    """

    takes: ClassVar[Takes] = "vectors"
    options_type: ClassVar[type] = DensityCoverageOptions
    reference: ClassVar[Reference] = "vectors"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"density": True, "coverage": True}
    by_class: ClassVar[ByClass | None] = ByClass(10)
    ranges: Mapping[str, tuple[float, float]] = {"density": (0.0, math.inf), "coverage": (0.0, 1.0)}
    levels: ClassVar[Mapping[str, Level]] = {
        "density": Level(_density_of_real_data, "fidelity", least=0.1),
        "coverage": Level(_coverage_of_real_data, "diversity", least=0.1),
    }

    def __init__(self, reference: Tensor, options: DensityCoverageOptions | None = None) -> None:
        self.real = checked(reference, "density-coverage")
        self.k = k = (options or DensityCoverageOptions()).k
        if (count := len(self.real)) <= k:
            remedy = f"a smaller k: --set density-coverage.k={count - 1}" if count > 1 else ""
            raise ValueError(too_few("density-coverage", count, k + 1, f"reference, k = {k}", remedy))
        self.ranges = {**self.ranges, "density": (0.0, count / k)}  # within all balls
        self.vectors = Rows("density-coverage", self.real.shape[1])

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)

    def compute(self) -> dict[str, float]:
        real, generated = neighbours.prepared(self.real, self.vectors.all())
        radii = neighbours.squared_radii(real, self.k)
        real_norms, generated_norms = real.square().sum(dim=1), generated.square().sum(dim=1)
        inside = torch.zeros(len(real), dtype=torch.long)
        for start in range(0, len(generated), neighbours.TILE):
            rows = slice(start, start + neighbours.TILE)
            sides = generated[rows], real, generated_norms[rows], real_norms
            inside += neighbours.inside(neighbours.squared_distances(*sides), *sides, radii).sum(dim=0)
        return {
            "density": inside.sum().item() / (self.k * len(generated)),
            "coverage": (inside > 0).double().mean().item(),
        }

    def reset(self) -> None:
        self.vectors.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        if len(self.vectors) >= len(self.real):
            return ()
        return (f"{len(self.vectors):,} samples for {len(self.real):,} real balls: coverage falls short",)
