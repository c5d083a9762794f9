"""Verdict on a reproduction: whether a published number was reached, under the same protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from experiments.analysis.comparison.significance import confidence_interval
from experiments.core.bounds import UNBOUNDED, Bounds
from experiments.sweeps.reproduction.published_rows import PublishedRow

Verdict = Literal["reproduced", "not reproduced", "not the same protocol"]


@dataclass(frozen=True)
class ReproducedNumber:
    """Mean of a reproduction's number over seeds, with its 95 % t interval (None for one seed).

    Attributes:
        margin: half the width of Student's interval.
        interval: the same around the mean, within the bounds of the number.
    """

    values: tuple[float, ...]
    mean: float
    margin: float | None
    interval: tuple[float, float] | None = None


def summarize(values: Sequence[float], bounds: Bounds = UNBOUNDED) -> ReproducedNumber:
    """Summarizes the numbers of all seeds, one or more, as their mean and its interval.

    Args:
        bounds: the smallest and largest value that the number can have.
    """
    mean = fmean(values)
    if len(values) == 1:
        return ReproducedNumber(tuple(values), mean, None)
    margin = confidence_interval(values)[1] - mean
    return ReproducedNumber(tuple(values), mean, margin, confidence_interval(values, bounds=bounds))


def protocol_changes(row: PublishedRow, seeds: int, kimg: float | None) -> tuple[str, ...]:
    """Lists what differs in this reproduction from the paper's protocol.

    Where the list is empty, the result is a verdict on the paper.
    """
    found = list(row.departures)
    if row.search > 1:
        found.append(f"the paper reports the best of {row.search} settings, and this is one")
    if seeds < row.seeds:
        found.append(f"{seeds} of {row.seeds} seeds")
    if kimg is not None:
        found.append(f"--kimg {kimg:g}")
    return tuple(found)


def verdict_of(row: PublishedRow, found: ReproducedNumber, changed: Sequence[str]) -> Verdict:
    """Verdict on a row, from its target, the number reached, and what differs from the paper.

    A number that is to be equalled is reproduced where its interval, or the number itself, meets ours.
    """
    if changed:
        return "not the same protocol"
    if row.goal == "equal":
        good = abs(found.mean - row.target) <= row.spread + (found.margin or 0.0)
    else:
        good = found.mean >= row.target if row.goal == "at least" else found.mean <= row.target
    return "reproduced" if good else "not reproduced"
