"""Calibration of statistics: intervals over held-out sets, and the smallest planted share that leaves them.

A statistic is a function of R sets of samples, given by how often each of N samples is in a set, `(R, N)` →
`(R,)`: sums over sets are then products of matrices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.core.seeds import generator_for
from experiments.evaluation.audit.planting import SHARES

RESAMPLES = 1000  # held-out sets of an interval
PLANTED = 200  # sets with a planted share
LEVEL = 0.95
POWER = 0.9  # share of planted sets in which a fault must be seen to count as found
Statistic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Interval:
    """Interval of a statistic, with both ends."""

    low: float
    high: float


@dataclass(frozen=True)
class CalibratedStatistic:
    """A statistic of the run with what it would have found.

    Attributes:
        name: of the statistic; meaning: what a fault does to it, in words.
        falls: whether a fault lowers it; else it raises it.
        value: of the generated samples; interval: its bootstrap interval over them.
        honest: interval of held-out samples.
        found: smallest planted share that would have been found, by the kind of fault; None for none.
        reversed: kinds of fault that move it beyond its interval the wrong way.
        medians: median of the statistic at each planted share, by the kind of fault.
    """

    name: str
    meaning: str
    falls: bool
    value: float
    interval: Interval
    honest: Interval
    found: Mapping[str, float | None]
    reversed: Sequence[str]
    medians: Mapping[str, Mapping[float, float]]

    @property
    def is_beyond(self) -> bool:
        """Whether the run's value lies beyond the interval of held-out samples, as a fault would have it."""
        return self.value < self.honest.low if self.falls else self.value > self.honest.high

    def equivalent(self, kind: str) -> float | None:
        """The largest planted share of a kind that moved the statistic no farther than the run is."""
        sign = 1 if self.falls else -1
        reached = [
            share for share, median in self.medians[kind].items() if sign * self.value <= sign * median
        ]
        return max(reached, default=None)


def resampled(rows: Tensor, count: int, sets: int, seed: int, *purpose: str | float) -> Tensor:
    """Draws sets of `count` rows with replacement, int64 `(sets, count)`."""
    random = generator_for(seed, "audit", *map(str, purpose))
    return rows[torch.randint(len(rows), (sets, count), generator=random)]


def values_of(statistic: Statistic, rows: Tensor, total: int) -> Tensor:
    """Computes a statistic of sets, given by their rows among `total` samples, a hundred at a time."""
    found = []
    for part in torch.split(rows, 100):
        counts = torch.zeros(len(part), total, dtype=torch.float64)
        found.append(statistic(counts.scatter_add_(1, part, torch.ones(part.shape, dtype=torch.float64))))
    return torch.cat(found)


def quantiles(values: Tensor, tests: int = 1) -> Interval:
    """The middle `LEVEL` of values; of so many tests together (Bonferroni)."""
    tail = (1 - LEVEL) / 2 / tests
    low, high = values.double().quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return Interval(low, high)


def honest_interval(
    statistic: Statistic, honest: Tensor, count: int, total: int, seed: int, tests: int
) -> Interval:
    """Interval of a statistic over sets of `count` honest samples.

    It is widened by √(1 + count / M) about the middle, because all M honest samples together err as well.
    """
    values = values_of(statistic, resampled(honest, count, RESAMPLES, seed, "honest"), total)
    found, centre = quantiles(values, tests), float(values.median())
    wider = (1 + count / len(honest)) ** 0.5
    return Interval(centre - wider * (centre - found.low), centre + wider * (found.high - centre))


def calibrate(
    name: str,
    meaning: str,
    statistic: Statistic,
    falls: bool,
    honest: Tensor,
    generated: Tensor,
    faults: Mapping[str, Callable[[float], Tensor]],
    total: int,
    seed: int,
    tests: int,
    known: Interval | None = None,
) -> CalibratedStatistic:
    """Calibrates a statistic, and computes it for the run.

    Args:
        honest, generated: rows of these samples, int64 `(M,)` and `(n,)`.
        faults: draws sets with a share of a fault, share → rows `(R, n)`, by the kind of fault.
        total: number of all samples, N.
        tests: number of statistics that are calibrated together.
        known: interval of honest samples, where it follows from theory.
    """
    count = len(generated)
    interval = known or honest_interval(statistic, honest, count, total, seed, tests)
    found: dict[str, float | None] = {}
    medians: dict[str, dict[float, float]] = {}
    wrong = []
    for kind, draw in faults.items():
        values = {share: values_of(statistic, draw(share), total) for share in SHARES}
        medians[kind] = {share: float(each.median()) for share, each in values.items()}
        seen = {
            share: ((each < interval.low) if falls else (each > interval.high)).double().mean().item()
            for share, each in values.items()
        }
        found[kind] = next((share for share in SHARES if seen[share] >= POWER), None)
        last = medians[kind][SHARES[-1]]
        if last > interval.high if falls else last < interval.low:
            wrong.append(kind)
    value = float(values_of(statistic, generated[None], total))
    own = quantiles(values_of(statistic, resampled(generated, count, RESAMPLES, seed, "generated"), total))
    return CalibratedStatistic(name, meaning, falls, value, own, interval, found, wrong, medians)
