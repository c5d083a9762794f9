"""Fréchet distance extrapolated to infinitely many samples (Chong & Forsyth 2020)."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from metrics.core.batches import Rows
from metrics.core.metric import Metric, Reference, Takes
from metrics.core.statistics import Moments, Statistics, frechet_distance

FEWEST_SIZES = 10


class FrechetDistanceInfinity(Metric):
    """The intercept of a line through the Fréchet distances of random subsets over 1/N (section 3.2).

    The sizes are spaced evenly from a tenth of the samples to all of them: 5,000 to 50,000 as in the paper's
    code, which takes 15 of them. Removes the bias of the generated side only; a reference from few samples
    keeps its own.

    Args:
        reference: of the real data, by the same extractor.
        sizes: how many subsets, at least 10.
        seed: of the generator that draws the subsets.

    Scores: `fid_infinity`, which may fall beneath 0 by noise, and the `standard_error` of the intercept in
    [0, ∞) by ordinary least squares. Subsets share samples, so the error is a lower bound.
    """

    takes: ClassVar[Takes] = "vectors"
    reference: ClassVar[Reference] = "statistics"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"fid_infinity": False}
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "fid_infinity": (-math.inf, math.inf),
        "standard_error": (0.0, math.inf),
    }

    def __init__(self, reference: Statistics, sizes: int = 15, seed: int = 0) -> None:
        if sizes < FEWEST_SIZES:
            raise ValueError(f"fid-infinity: {sizes} sizes, a line needs at least {FEWEST_SIZES}")
        self.real = reference
        self.sizes = sizes
        self.seed = seed
        self.vectors = Rows("fid-infinity", len(reference.mean))

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)

    def compute(self) -> dict[str, float]:
        vectors = self.vectors.all(20 * self.sizes, f"ten sizes of at least two for {self.sizes} subsets")
        generator = torch.Generator().manual_seed(self.seed)
        sizes = np.linspace(len(vectors) // 10, len(vectors), self.sizes).astype(int)
        distances = []
        for size in sizes:
            moments = Moments(len(self.real.mean), "fid-infinity")
            moments.update(vectors[torch.randperm(len(vectors), generator=generator)[:size]])
            distances.append(frechet_distance(moments.statistics(), self.real))
        intercept, error = intercept_of(1 / sizes, np.array(distances))
        return {"fid_infinity": intercept, "standard_error": error}

    def reset(self) -> None:
        self.vectors.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        width, smallest = len(self.real.mean), len(self.vectors) // 10
        remarks: tuple[str, ...] = ()
        if smallest <= width:
            remarks += (f"{width:,} features but only {smallest:,} samples in the smallest subset: no line",)
        if 0 < self.real.count <= width:
            remarks += (f"{width:,} features but only {self.real.count:,} reference samples: biased upwards",)
        return remarks


def intercept_of(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Where the least-squares line through the points meets x = 0, and the standard error of that.

    Args:
        x, y: `(n,)` with n > 2.
    """
    n, spread = len(x), np.square(x - x.mean()).sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / spread
    intercept = y.mean() - slope * x.mean()
    variance = np.square(y - intercept - slope * x).sum() / (n - 2)
    return float(intercept), float(np.sqrt(variance * (1 / n + x.mean() ** 2 / spread)))
