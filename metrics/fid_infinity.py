"""Fréchet distance extrapolated to infinitely many samples (Chong & Forsyth 2020)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from metrics.core.batches import Rows, too_few
from metrics.core.metric import Metric, Reference, Takes
from metrics.core.statistics import Moments, Statistics, frechet_distance

FEWEST_SIZES = 10
PER_SIZE = 20  # samples


@dataclass(frozen=True)
class FrechetDistanceInfinityOptions:
    """Options of the extrapolated distance; the default is that of the authors' code."""

    sizes: int = field(
        default=15,
        metadata={"help": "Number of subset sizes that the line goes through.", "at_least": FEWEST_SIZES},
    )


class FrechetDistanceInfinity(Metric):
    """Intercept of a line through the Fréchet distances of random subsets over 1/N (section 3.2).

    The sizes are spaced evenly from a tenth of the samples to all of them: 5,000 to 50,000 as in the paper's
    code. Removes the bias of the generated side only; a reference from few samples
    keeps its own.

    Args:
        reference: statistics of the real vectors, by the same extractor.
        options: the number of sizes.
        seed: of the generator that draws the subsets.

    Scores: `fid_infinity`, which may fall beneath 0 by noise, and the `standard_error` of the intercept in
    [0, ∞) by ordinary least squares. Subsets share samples, so the error is a lower bound.

    Raises:
        ValueError: fewer than ten sizes, or fewer samples than 20 for each size.

    >>> import torch
    >>> from metrics.core.statistics import Statistics
    >>> from metrics.fid_infinity import FrechetDistanceInfinity
    >>> metric = FrechetDistanceInfinity(Statistics(torch.zeros(2), torch.eye(2), count=0))
    >>> metric.update(torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)))
    >>> abs(metric.compute()["fid_infinity"]) < 0.01  # samples of the reference itself
    True
    """

    takes: ClassVar[Takes] = "vectors"
    options_type: ClassVar[type] = FrechetDistanceInfinityOptions
    reference: ClassVar[Reference] = "statistics"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"fid_infinity": False}
    ranges: Mapping[str, tuple[float, float]] = {
        "fid_infinity": (-math.inf, math.inf),
        "standard_error": (0.0, math.inf),
    }

    def __init__(
        self, reference: Statistics, options: FrechetDistanceInfinityOptions | None = None, seed: int = 0
    ) -> None:
        self.sizes = sizes = (options or FrechetDistanceInfinityOptions()).sizes
        if sizes < FEWEST_SIZES:
            raise ValueError(f"fid-infinity: {sizes} sizes, a line needs at least {FEWEST_SIZES}")
        self.real = reference
        self.seed = seed
        self.vectors = Rows("fid-infinity", len(reference.mean))

    @classmethod
    def check_counts(
        cls, samples: int, reals: int, options: FrechetDistanceInfinityOptions | None = None
    ) -> None:
        _check_count(samples, (options or FrechetDistanceInfinityOptions()).sizes)

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)

    def compute(self) -> dict[str, float]:
        _check_count(len(self.vectors), self.sizes)
        vectors = self.vectors.all()
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


def _check_count(count: int, sizes: int) -> None:
    """Checks that samples are enough for subsets of so many sizes. Raises ValueError."""
    if count >= PER_SIZE * sizes:
        return
    possible = count // PER_SIZE
    remedy = f"fewer sizes: --set fid-infinity.sizes={possible}" if possible >= FEWEST_SIZES else ""
    why = f"ten sizes of at least two for {sizes} subsets"
    raise ValueError(too_few("fid-infinity", count, PER_SIZE * sizes, why, remedy))


def intercept_of(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Intercept of the least-squares line through points, and its standard error.

    Args:
        x, y: `(n,)` with n > 2.

    >>> import numpy as np
    >>> from metrics.fid_infinity import intercept_of
    >>> intercept_of(np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 9.0]))
    (3.0, 0.0)
    """
    n, spread = len(x), np.square(x - x.mean()).sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / spread
    intercept = y.mean() - slope * x.mean()
    variance = np.square(y - intercept - slope * x).sum() / (n - 2)
    return float(intercept), float(np.sqrt(variance * (1 / n + x.mean() ** 2 / spread)))
