"""Density and coverage: precision and recall that a single outlier cannot move (Naeem et al. 2020)."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core import neighbours
from metrics.core.batches import Rows, checked, too_few
from metrics.core.metric import Metric, Reference, Takes


class DensityCoverage(Metric):
    """How many real balls hold a sample, and how many real balls hold any (equations 3 and 4).

    A ball around a real vector reaches to its k-th nearest other real one.

    Args:
        reference: `(M, D)`, the real vectors by the same extractor.
        k: neighbours.

    Scores: `density` in [0, M / k], 1 in expectation for samples of the real distribution; `coverage` in
    [0, 1], whose expectation for such samples is 1 − (M−1)…(M−k) / (2M−1)…(2M−k) with as many samples as
    reals.
    """

    takes: ClassVar[Takes] = "vectors"
    reference: ClassVar[Reference] = "vectors"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"density": True, "coverage": True}
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"density": (0.0, math.inf), "coverage": (0.0, 1.0)}

    def __init__(self, reference: Tensor, k: int = 5) -> None:
        self.real = checked(reference, "density-coverage")
        self.k = k
        if len(self.real) <= k:
            raise ValueError(too_few("density-coverage", len(self.real), k + 1, f"reference, k = {k}"))
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
            distances = neighbours.squared_distances(generated[rows], real, generated_norms[rows], real_norms)
            inside += (distances <= radii).sum(dim=0)
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
