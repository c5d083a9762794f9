"""Fréchet distance between Gaussians fitted to feature vectors (FID, Heusel et al. 2017)."""

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from metrics.core.batches import few_for_width
from metrics.core.by_class import ByClass
from metrics.core.metric import Metric, Reference, Takes
from metrics.core.statistics import Moments, Statistics, frechet_distance


class FrechetDistance(Metric):
    """Fréchet distance `|μ₁ − μ₂|² + Tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½)`, in float64 (equation 6).

    It is called FID only if the features are those of the 2015 Inception network. Its bias shrinks with 1/N:
    scores of different N do not compare.

    Args:
        reference: statistics of the real vectors, by the same extractor.

    Scores: `fid` in [0, ∞), 0 for equal statistics.

    Raises:
        ValueError: fewer than two samples.

    >>> from metrics.core.statistics import Moments
    >>> from metrics.fid import FrechetDistance
    >>> import torch
    >>> real = Moments()
    >>> real.update(torch.eye(3))
    >>> metric = FrechetDistance(real.statistics())
    >>> metric.update(torch.eye(3) + 2.0)
    >>> round(metric.compute()["fid"], 6)  # the squared distance of the means
    12.0
    """

    takes: ClassVar[Takes] = "vectors"
    reference: ClassVar[Reference] = "statistics"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"fid": False}
    by_class: ClassVar[ByClass | None] = ByClass(50)
    ranges: Mapping[str, tuple[float, float]] = {"fid": (0.0, math.inf)}

    def __init__(self, reference: Statistics) -> None:
        self.real = reference
        self.reset()

    def update(self, samples: Tensor) -> None:
        self.moments.update(samples)

    def compute(self) -> dict[str, float]:
        return {"fid": frechet_distance(self.moments.statistics(), self.real)}

    def reset(self) -> None:
        self.moments = Moments(len(self.real.mean), "fid")

    @property
    def remarks(self) -> tuple[str, ...]:
        remarks = few_for_width(self.moments.count, len(self.real.mean))
        if self.real.count:
            remarks += few_for_width(self.real.count, len(self.real.mean), "reference ")
        return remarks
