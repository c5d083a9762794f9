"""Comparison of groups of experiments: means, confidence intervals, and tests against the best group."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from experiments.analysis.comparison.groups import (
    Group,
    differing_settings,
    distinguishing_settings,
    group_experiments,
)
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.score_choice import ChosenScore, choose_score
from experiments.analysis.comparison.significance import (
    LEVEL,
    POWER,
    confidence_interval,
    holm_correction,
    minimum_detectable_effect,
    paired_t_test,
    welch_t_test,
)
from experiments.core.console import one_line
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.core.settings import FIELDS

Test = Literal["welch", "paired"]
BEST = "best"
NO_DIFFERENCE = "no significant difference"
COLUMNS = ("seeds", "mean", "95 % interval", "p", "minimum detectable effect", "against the best")


@dataclass(frozen=True)
class GroupRow:
    """Row of a comparison: the mean of a group, its confidence interval, and its test against the best group.

    Attributes:
        group: its experiments.
        mean: of their scores; low, high: the ends of its interval, None for a single experiment.
        p: probability that equal settings look as different as this and the best group, corrected for all
            pairs of groups that are compared; None for the best, and where no test can be made.
        difference: from the best group, positive where it is worse.
        detectable: minimum detectable effect of so many experiments; None where nothing spreads.
        verdict: the result of the test in words.
    """

    group: Group
    mean: float
    low: float | None
    high: float | None
    p: float | None
    difference: float
    detectable: float | None
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Comparison of groups of experiments, from the best to the worst.

    Attributes:
        chosen: the score.
        by: the settings that groups differ in.
        within: settings that differ within groups, beside the seed.
        differing: every setting that is not the same everywhere, with its values.
        test: which t test.
        rows: a row for each group.
        left_out: names of experiments without a score, or with one that is no finite number; and why.
    """

    chosen: ChosenScore
    by: Sequence[str]
    within: Sequence[str]
    differing: dict[str, list[Any]]
    test: Test
    rows: Sequence[GroupRow]
    left_out: Sequence[tuple[str, str]]


def compare(
    records: Sequence[Record],
    metric: str | None = None,
    by: Sequence[str] = (),
    test: Test = "welch",
    force: bool = False,
) -> Comparison:
    """Compares experiments by one score: groups them by settings, and tests every group against the best.

    Args:
        metric: name of the score; None for the first that all experiments have.
        by: settings that define the groups; by default those that tell the experiments apart.
        test: which t test.
        force: compares scores that were not computed alike.

    Raises UsageError, with the reason, for experiments that cannot be compared.
    """
    for name in by:
        if name not in FIELDS and not any(name in record.settings for record in records):
            raise UsageError(f"--by {name}: there is no such setting; gans run --help names them")
    left_out = [(r.name, r.state) for r in records if not r.evaluations and r.state != "finished"]
    names = {name for name, _ in left_out}
    records = [record for record in records if record.name not in names]
    if not records:
        states = "; ".join(f"{name}: {state}" for name, state in left_out[:3])
        raise UsageError(f"nothing to compare: no experiment has a score ({states})")
    chosen = choose_score(records, metric, force)
    broken = [(r.name, v) for r, v in zip(records, chosen.values, strict=True) if not math.isfinite(v)]
    left_out += [(name, f"{chosen.metric} is {value}") for name, value in broken]
    records = [record for record in records if record.name not in dict(broken)]
    if not records:
        raise UsageError(f"nothing to compare: {chosen.metric} is a finite number nowhere")
    chosen = replace(chosen, values=tuple(filter(math.isfinite, chosen.values)))
    names_by = list(by) or distinguishing_settings(records)
    groups = group_experiments(records, names_by, chosen.values)
    groups.sort(key=lambda group: np.mean(group.scores), reverse=chosen.higher_is_better)
    return Comparison(
        chosen,
        names_by,
        distinguishing_settings(records, names_by),
        differing_settings(records),
        test,
        compare_groups(groups, chosen.higher_is_better, test),
        left_out,
    )


def compare_groups(groups: Sequence[Group], higher_is_better: bool, test: Test = "welch") -> list[GroupRow]:
    """Compares every group with the first, which is the best.

    Which one is the best is seen from the same scores that are tested. So the correction is for all pairs
    of groups, not only for those with the best: of equal settings, the seeming best is far from some by
    chance.

    Raises UsageError for a paired test of groups with different seeds.
    """
    if test == "paired" and len({tuple(sorted(group.seeds)) for group in groups}) > 1:
        raise UsageError("--test paired needs the same seeds in every group; take --test welch")
    scores = [_scores_by_seed(group) for group in groups]
    pairs = _testable_pairs(scores, test)
    chances = holm_correction(
        [(paired_t_test if test == "paired" else welch_t_test)(scores[i], scores[j]) for i, j in pairs]
    )
    found = dict(zip(pairs, chances, strict=True))
    rows: list[GroupRow] = []
    for index, group in enumerate(groups):
        mean, p, detectable = float(np.mean(group.scores)), found.get((0, index)), None
        low, high = confidence_interval(group.scores) if len(group.scores) > 1 else (None, None)
        if p is not None:  # without any spread there is no minimum detectable effect
            detectable = (
                minimum_detectable_effect(scores[0], scores[index], test == "paired", len(pairs)) or None
            )
        difference = (rows[0].mean - mean if higher_is_better else mean - rows[0].mean) if rows else 0.0
        verdict = _verdict(index, p, difference, min(len(scores[0]), len(scores[index])))
        rows.append(GroupRow(group, mean, low, high, p, difference, detectable, verdict))
    return rows


def _scores_by_seed(group: Group) -> list[float]:
    """Scores of a group in the order of seeds, so that a paired test has its pairs."""
    return [score for _, score in sorted(zip(group.seeds, group.scores, strict=True))]


def _testable_pairs(scores: Sequence[Sequence[float]], test: Test) -> list[tuple[int, int]]:
    """Pairs of groups that can be tested: several seeds on each side, and a spread or equal means.

    Counts of a few things are often equal for all seeds. A t test calls any two such groups different,
    with certainty, which two or three seeds do not show.
    """

    def spreads(ours: Sequence[float], theirs: Sequence[float]) -> bool:
        if test == "paired":
            return len({a - b for a, b in zip(ours, theirs, strict=True)}) > 1
        return len({*ours}) > 1 or len({*theirs}) > 1

    several = [index for index, own in enumerate(scores) if len(own) > 1]
    return [
        (i, j)
        for i, j in combinations(several, 2)
        if spreads(scores[i], scores[j]) or np.mean(scores[i]) == np.mean(scores[j])
    ]


def _verdict(index: int, p: float | None, difference: float, seeds: int) -> str:
    """Result of the test of a group against the best, in words."""
    if index == 0:
        return BEST
    if p is None:
        return f"{'no spread' if seeds > 1 else 'one seed alone'}: no test can be made"
    return f"worse by {difference:.4g}" if p < 1 - LEVEL else NO_DIFFERENCE


def format_comparison(comparison: Comparison) -> list[str]:
    """Formats a comparison as lines for a terminal."""
    chosen = comparison.chosen
    which = "higher is better" if chosen.higher_is_better else "lower is better"
    at = "" if chosen.kimg is None else f", at {chosen.kimg:g} kimg"
    # Points need no extractor, and none of what belongs to one.
    has = {key: value for key, value in chosen.provenance.items() if value not in (None, "none")}
    made = ", ".join(f"{key} {format_value(value)}" for key, value in has.items())
    lines = [f"{chosen.metric} ({which}){at}", *([made] if made else []), ""]
    lines += _aligned([(*comparison.by, *COLUMNS), *(row_cells(row) for row in comparison.rows)])
    lines += ["", *notes_of(comparison)]
    if comparison.differing:
        lines += ["", "settings that differ", *_aligned(differing_cells(comparison))]
    return lines


def notes_of(comparison: Comparison) -> list[str]:
    """Notes below the table: which test was made, what cannot be tested, and what was left out."""
    rows, notes = comparison.rows, []
    if len(rows) == 1:
        notes.append("One setting alone: there is nothing to compare it with.")
    alone = [row.group.label for row in rows if len(row.group.scores) == 1]
    if alone:
        notes.append(f"One seed alone ({', '.join(alone)}): no interval can be given; add --seeds 3.")
    pairs = len(_testable_pairs([_scores_by_seed(row.group) for row in rows], comparison.test))
    if any(row.p is not None for row in rows):
        name = "Welch's" if comparison.test == "welch" else "Paired"
        corrected = f", Holm-corrected for {pairs} pairs" if pairs > 1 else ""
        notes.append(
            f"{name} t test against the best{corrected}; with p below {1 - LEVEL:.2g} they differ."
            f" The test finds a difference as large as the minimum detectable effect in {POWER:.0%} of cases."
        )
    if rows[1:] and all(row.verdict == NO_DIFFERENCE for row in rows[1:]):
        notes.append("No significant difference between the best and any other.")
    if comparison.within:
        notes.append(f"Within groups also differ: {', '.join(comparison.within)}.")
    if comparison.left_out:
        listed = "; ".join(f"{name} ({state})" for name, state in comparison.left_out)
        notes.append(f"Left out, without a score: {listed}.")
    return notes


def row_cells(row: GroupRow) -> tuple[str, ...]:
    """Cells of a row of the table: values of the settings, then those of COLUMNS."""
    between = "–" if row.low is None else f"[{row.low:.4g}, {row.high:.4g}]"
    p = "–" if row.p is None else "< 0.001" if row.p < 0.001 else f"{row.p:.3f}"
    could = "–" if row.detectable is None else f"{row.detectable:.3g}"
    settings = (format_value(value) for value in row.group.settings.values())
    return (*settings, str(len(row.group.scores)), f"{row.mean:.4g}", between, p, could, row.verdict)


def differing_cells(comparison: Comparison) -> list[tuple[str, ...]]:
    """Rows of the table of settings that differ: name and values."""
    return [(name, ", ".join(map(format_value, values))) for name, values in comparison.differing.items()]


def format_value(value: object) -> str:
    """Formats a value in a few characters for a table."""
    if isinstance(value, list | tuple):
        return "/".join(map(format_value, value)) or "–"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else one_line(str(value))[:24]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def to_json(comparison: Comparison) -> JsonObject:
    """Converts a whole comparison to an object for JSON."""
    return {**asdict(comparison), "notes": notes_of(comparison)}


def to_csv(comparison: Comparison) -> str:
    """Converts a comparison to CSV: a line for every experiment, with its group's settings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*comparison.by, "seed", "run", comparison.chosen.metric, "kimg"])
    for row in comparison.rows:
        group = row.group
        for seed, name, score in zip(group.seeds, group.names, group.scores, strict=True):
            settings = map(format_value, group.settings.values())
            writer.writerow([*settings, seed, name, score, comparison.chosen.kimg])
    return text.getvalue()
