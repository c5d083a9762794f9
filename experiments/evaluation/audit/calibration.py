"""Calibration of statistics: intervals over held-out sets, and the smallest planted share that leaves them.

A statistic is a function of R sets of samples, given by the rows `(m,)` of the samples that are in any of
them, and by how often each of these is in each set, `(R, m)`; it returns `(R,)`. Sums over sets are then
products of small matrices.
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
Statistic = Callable[[Tensor, Tensor], Tensor]


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


@dataclass(frozen=True)
class CountedSets:
    """R sets of samples, by how often each of the m samples that are in any of them is in each.

    Attributes:
        rows: of these samples in the table of all, ascending, int64 `(m,)`.
        counts: float64 `(R, m)`.
    """

    rows: Tensor
    counts: Tensor

    @classmethod
    def of(cls, sets: Tensor) -> "CountedSets":
        """Counts the samples in sets, given by their rows, int64 `(R, n)`."""
        rows, places = torch.unique(sets, return_inverse=True)
        counts = torch.zeros(len(sets), len(rows), dtype=torch.float64)
        return cls(rows, counts.scatter_add_(1, places, torch.ones(sets.shape, dtype=torch.float64)))

    def values(self, statistic: Statistic) -> Tensor:
        """Computes a statistic of each set, float64 `(R,)`."""
        return statistic(self.rows, self.counts)


def quantiles(values: Tensor, tests: int = 1) -> Interval:
    """The middle `LEVEL` of values; of so many tests together (Bonferroni)."""
    tail = (1 - LEVEL) / 2 / tests
    low, high = values.double().quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return Interval(low, high)


def widened_interval(values: Tensor, share: float, tests: int) -> Interval:
    """Interval of a statistic over sets of honest samples.

    It is widened by √(1 + share) about the middle, because all honest samples together err as well.

    Args:
        values: of the sets. share: samples in a set for each honest one.
    """
    found, centre, wider = quantiles(values, tests), float(values.median()), (1 + share) ** 0.5
    return Interval(centre - wider * (centre - found.low), centre + wider * (found.high - centre))


class Calibration:
    """Sets of samples by which statistics are calibrated: drawn once, for all of them.

    Args:
        honest, generated: rows of these samples, int64 `(M,)` and `(n,)`.
        faults: draws sets with a share of a fault, share → rows `(R, n)`, by the kind of fault.
        tests: number of statistics that are calibrated together.
    """

    def __init__(
        self,
        honest: Tensor,
        generated: Tensor,
        faults: Mapping[str, Callable[[float], Tensor]],
        seed: int,
        tests: int,
    ) -> None:
        count = len(generated)
        self.tests, self.share = tests, count / len(honest)
        self.honest = CountedSets.of(resampled(honest, count, RESAMPLES, seed, "honest"))
        self.generated = CountedSets.of(generated[None])
        self.redrawn = CountedSets.of(resampled(generated, count, RESAMPLES, seed, "generated"))
        self.faults = {
            kind: {share: CountedSets.of(draw(share)) for share in SHARES} for kind, draw in faults.items()
        }

    def calibrate(
        self,
        name: str,
        meaning: str,
        statistic: Statistic,
        falls: bool,
        known: Interval | None = None,
    ) -> CalibratedStatistic:
        """Calibrates a statistic, and computes it for the run.

        Args:
            known: interval of honest samples, where it follows from theory.
        """
        interval = known or widened_interval(self.honest.values(statistic), self.share, self.tests)
        found: dict[str, float | None] = {}
        medians: dict[str, dict[float, float]] = {}
        wrong = []
        for kind, sets in self.faults.items():
            values = {share: each.values(statistic) for share, each in sets.items()}
            medians[kind] = {share: float(each.median()) for share, each in values.items()}
            seen = {
                share: ((each < interval.low) if falls else (each > interval.high)).double().mean().item()
                for share, each in values.items()
            }
            found[kind] = next((share for share in SHARES if seen[share] >= POWER), None)
            last = medians[kind][SHARES[-1]]
            if last > interval.high if falls else last < interval.low:
                wrong.append(kind)
        value = float(self.generated.values(statistic))
        own = quantiles(self.redrawn.values(statistic))
        return CalibratedStatistic(name, meaning, falls, value, own, interval, found, wrong, medians)
