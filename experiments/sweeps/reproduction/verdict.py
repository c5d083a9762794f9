"""Whether a published number was reached, and under the same protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from experiments.analysis.comparison.significance import interval
from experiments.sweeps.reproduction.rows import PublishedRow

Verdict = Literal["reproduced", "not reproduced", "not the same protocol"]


@dataclass(frozen=True)
class Reached:
    """Mean over seeds, and half the width of its t interval of 95 %; None for one seed."""

    values: tuple[float, ...]
    mean: float
    margin: float | None


def reached(values: Sequence[float]) -> Reached:
    """Of one number or more."""
    mean = fmean(values)
    margin = interval(values)[1] - mean if len(values) > 1 else None
    return Reached(tuple(values), mean, margin)


def changes(row: PublishedRow, seeds: int, kimg: float | None) -> tuple[str, ...]:
    """In what a run of the row is not what the paper did: empty where its result is a verdict on it."""
    found = list(row.departures)
    if row.search > 1:
        found.append(f"the paper reports the best of {row.search} settings, and this is one")
    if seeds < row.seeds:
        found.append(f"{seeds} of {row.seeds} seeds")
    if kimg is not None:
        found.append(f"--kimg {kimg:g}")
    return tuple(found)


def verdict_of(row: PublishedRow, found: Reached, changed: Sequence[str]) -> Verdict:
    """A number that is to be equalled is reproduced where its interval, or the number itself, meets ours."""
    if changed:
        return "not the same protocol"
    if row.goal == "equal":
        good = abs(found.mean - row.target) <= row.spread + (found.margin or 0.0)
    else:
        good = found.mean >= row.target if row.goal == "at least" else found.mean <= row.target
    return "reproduced" if good else "not reproduced"
