"""Notes below the table of a comparison: which runs failed, what was tested, and what cannot be."""

import math
from collections.abc import Iterable, Iterator

from experiments.analysis.comparison.result import NO_DIFFERENCE, TIED, Comparison, GroupRow
from experiments.analysis.comparison.significance import (
    LEVEL,
    POWER,
    confidence_interval,
    half_width_in_deviations,
    testable_pairs,
)

FEW = 3  # scores of a group, with which an interval is more than twice as wide as with ENOUGH
ENOUGH = 5


def notes_of(comparison: Comparison) -> list[str]:
    """Notes on a comparison, a line each."""
    notes = [*_on_failures(comparison), *_on_intervals(comparison), *_on_tests(comparison)]
    if len(comparison.kimg_ends) > 1:
        notes.append("Runs end with a whole step, so that their kimg differ by a step or 1 % at most.")
    if comparison.within:
        notes.append(f"Within groups also differ: {', '.join(comparison.within)}.")
    if comparison.left_out:
        notes.append(f"Left out, without a score: {_listed(comparison.left_out)}.")
    return notes


def _on_failures(comparison: Comparison) -> Iterator[str]:
    """Notes on experiments that failed, diverged or collapsed."""
    if not comparison.has_failures:
        return
    runs = [run for row in comparison.rows for run in row.group.failed_runs]
    reasons = _listed((run.name, run.reason) for run in runs)
    yield f"Did not end, as they failed, diverged or collapsed: {reasons}."
    yield (
        "In medians, by which the table is ordered, a run that did not end is worse than any number; means, "
        "intervals and tests are of those that ended."
    )
    if all(row.median is None for row in comparison.rows):
        yield "In no setting did more than half of the runs end, so that none is the best."


def _on_intervals(comparison: Comparison) -> Iterator[str]:
    """Notes on intervals that cannot be given, are wide for want of seeds, or end at a bound."""
    rows, by_count = comparison.rows, dict[int, list[GroupRow]]()
    for row in rows:
        by_count.setdefault(len(row.group.scores), []).append(row)
    for count, own in sorted(by_count.items()):
        few = describe_few_seeds(count)
        if not few:
            continue
        which = "" if len(own) == len(rows) else f"{', '.join(row.group.label for row in own)}: "
        most = max(row.count for row in own)
        advised = ENOUGH if most < ENOUGH else 2 * most
        yield f"{which}{few}; repeat gans sweep with --seeds {advised}, or gans run with another --seed."
    if any(
        row.low is not None and (row.low, row.high) != confidence_interval(row.group.scores) for row in rows
    ):
        low, high = comparison.chosen.bounds
        yield f"Intervals end where {comparison.chosen.metric} does: it is {_describe_bounds(low, high)}."


def _describe_bounds(low: float, high: float) -> str:
    """Describes bounds of which one at least is finite: `from 0 to 8`, `0 or more`."""
    if high == math.inf:
        return f"{low:g} or more"
    return f"{high:g} or less" if low == -math.inf else f"from {low:g} to {high:g}"


def describe_few_seeds(count: int) -> str:
    """Warning, in words, that `count` seeds give no interval or a wide one; empty for 0 or more than FEW."""
    if count == 1:
        return "One seed alone: no interval can be given"
    if not 1 < count <= FEW:
        return ""
    now, then = half_width_in_deviations(count), half_width_in_deviations(ENOUGH)
    return (
        f"{count} seeds are few: the interval reaches {now:.1f} standard deviations to each side, with "
        f"{ENOUGH} it would be {then:.1f}"
    )


def _on_tests(comparison: Comparison) -> Iterator[str]:
    """Notes on the tests against the best."""
    rows = comparison.rows
    if len(rows) == 1:
        yield "One setting alone: there is nothing to compare it with."
    if any(row.p is not None for row in rows):
        name = "Welch's" if comparison.test == "welch" else "Paired"
        pairs = len(testable_pairs([row.group.partnered_scores for row in rows], comparison.test == "paired"))
        corrected = f", Holm-corrected for {pairs} pairs" if pairs > 1 else ""
        yield (
            f"{name} t test against the best{corrected}; with p below {1 - LEVEL:.2g} they differ."
            f" The test finds a difference as large as the minimum detectable effect in {POWER:.0%} of cases."
        )
    if any(row.verdict == TIED for row in rows):
        yield "Tied: the median, the mean and the share of runs that ended are the same."
    if rows[1:] and all(row.verdict == NO_DIFFERENCE for row in rows[1:]):
        yield "No significant difference between the best and any other."


def _listed(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with their reasons, in a line."""
    return "; ".join(f"{name} ({reason})" for name, reason in pairs)
