"""Comparison of groups of experiments: medians, means with intervals, and tests against the best group."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from experiments.analysis.comparison.groups import (
    Group,
    differing_settings,
    distinguishing_settings,
    group_experiments,
    repeated_experiments,
)
from experiments.analysis.comparison.notes import notes_of
from experiments.analysis.comparison.outcome import failure_reason
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.result import BEST, NO_DIFFERENCE, TIED, Comparison, GroupRow, Test
from experiments.analysis.comparison.score_choice import choose_score
from experiments.analysis.comparison.significance import (
    LEVEL,
    confidence_interval,
    holm_correction,
    minimum_detectable_effect,
    paired_t_test,
    testable_pairs,
    welch_t_test,
)
from experiments.analysis.comparison.table_layout import list_lines, ranking_lines, value_lines
from experiments.core.bounds import UNBOUNDED, Bounds
from experiments.core.console import one_line, wrap_line
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.core.ranking import median_score, rank, rank_key
from experiments.core.settings import FIELDS
from experiments.core.value_format import format_value as as_flag

# Keys of JSON, which are a format, for attributes of other names.
JSON_KEYS = {"failed_count": "not_ended", "failed_share": "not_ended_share", "failed_runs": "not_ended"}


def compare(
    records: Sequence[Record],
    metric: str | None = None,
    by: Sequence[str] = (),
    test: Test = "welch",
    force: bool = False,
) -> Comparison:
    """Compares experiments by one score: groups them by settings, and tests every group against the best.

    The best has the best median, in which experiments that failed, diverged or collapsed are worse than any
    number. Those that are not evaluated yet are left out.

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
    failures = {record.name: reason for record in records if (reason := failure_reason(record))}
    waiting = {
        record.name: record.state
        for record in records
        if record.name not in failures and not record.evaluations and record.state != "finished"
    }
    scored = [record for record in records if record.name not in {**failures, **waiting}]
    if not scored:
        states = [*failures.items(), *waiting.items()]
        listed = "; ".join(f"{name}: {state}" for name, state in states[:3])
        raise UsageError(f"nothing to compare: no experiment ended with a score ({listed})")
    chosen = choose_score(scored, metric, force)
    outcomes: dict[str, float | str] = dict(failures)
    for record, value in zip(scored, chosen.values, strict=True):
        outcomes[record.name] = value if math.isfinite(value) else f"{chosen.metric} is {value}"
    finite = [record for record in scored if not isinstance(outcomes[record.name], str)]
    if not finite:
        raise UsageError(f"nothing to compare: {chosen.metric} is a finite number nowhere")
    left_out = waiting | {
        record.name: failures[record.name] for record in _failed_without_group(records, failures, finite)
    }
    records = [record for record in records if record.name not in left_out]
    kimg = dict(zip((record.name for record in scored), chosen.run_kimg, strict=True))
    chosen = replace(
        chosen,
        values=tuple(filter(math.isfinite, chosen.values)),
        run_kimg=tuple(kimg[record.name] for record in finite),
    )
    names_by = list(by) or distinguishing_settings(records)
    groups = group_experiments(records, names_by, [outcomes[record.name] for record in records], kimg)
    return Comparison(
        chosen,
        names_by,
        distinguishing_settings(records, names_by),
        differing_settings(records),
        test,
        compare_groups(
            rank(groups, lambda group: group.outcomes, chosen.higher_is_better),
            chosen.higher_is_better,
            test,
            chosen.bounds,
        ),
        list(left_out.items()),
    )


def _failed_without_group(
    records: Sequence[Record], failures: Mapping[str, str], scored: Sequence[Record]
) -> list[Record]:
    """Experiments that failed, diverged or collapsed, and are in no group.

    The settings of some are unknown, as they failed before they began; others have ended in another folder.
    """
    failed = [record for record in records if record.name in failures]
    known = [record for record in failed if record.settings]
    repeated = {record.name for record in repeated_experiments(known, scored)}
    return [record for record in failed if not record.settings or record.name in repeated]


def compare_groups(
    groups: Sequence[Group], higher_is_better: bool, test: Test = "welch", bounds: Bounds = UNBOUNDED
) -> list[GroupRow]:
    """Compares every group with the first, which is the best, or tied with the groups of the same rank.

    Which one is the best is seen from the same scores that are tested. So the correction is for all pairs
    of groups, not only for those with the best: of equal settings, the seeming best is far from some by
    chance.

    Args:
        bounds: the smallest and largest value that a score can have, where intervals end.

    Raises UsageError for a paired test of groups whose runs have no partners.
    """
    if test == "paired" and len({tuple(group.scores_by_partner) for group in groups}) > 1:
        raise UsageError(
            "--test paired needs the same seeds in every group, and the same values of settings that differ "
            "within groups; take --test welch"
        )
    scores = [group.partnered_scores for group in groups]
    pairs = testable_pairs(scores, test == "paired")
    chances = holm_correction(
        [(paired_t_test if test == "paired" else welch_t_test)(scores[i], scores[j]) for i, j in pairs]
    )
    found = dict(zip(pairs, chances, strict=True))
    keys = [rank_key(group.outcomes, higher_is_better) for group in groups]
    places = [keys.index(key) + 1 for key in keys]
    rows: list[GroupRow] = []
    for index, group in enumerate(groups):
        p, detectable = found.get((0, index)), None
        if p is not None:  # without any spread there is no minimum detectable effect
            detectable = (
                minimum_detectable_effect(scores[0], scores[index], test == "paired", len(pairs)) or None
            )
        rows.append(_row(group, places[index], rows[:1], higher_is_better, bounds, p, detectable))
    if places.count(1) > 1 and rows[0].median is not None:
        rows = [replace(row, verdict=TIED) if row.rank == 1 else row for row in rows]
    return rows


def _row(
    group: Group,
    place: int,
    best: Sequence[GroupRow],
    higher_is_better: bool,
    bounds: Bounds,
    p: float | None,
    detectable: float | None,
) -> GroupRow:
    """Makes the row of a group; `best` holds the row of the best, and nothing for that itself."""
    scores, count = group.scores, len(group.outcomes)
    median = median_score(group.outcomes, higher_is_better)
    mean = float(np.mean(scores)) if scores else None
    of_best = best[0].mean if best else mean
    difference = None
    if mean is not None and of_best is not None:
        difference = of_best - mean if higher_is_better else mean - of_best
    low, high = confidence_interval(scores, bounds=bounds) if len(scores) > 1 else (None, None)
    if median is None:
        verdict = f"{len(group.failed_runs)} of {count} did not end"
    else:
        seeds = min([len(scores), *(len(row.group.scores) for row in best)])
        verdict = _verdict(p, difference, seeds) if best else BEST
    share = len(group.failed_runs) / count
    failed = len(group.failed_runs)
    return GroupRow(group, place, failed, share, median, mean, low, high, p, difference, detectable, verdict)


def _verdict(p: float | None, difference: float | None, seeds: int) -> str:
    """Result of the test of a group against the best, in words."""
    if p is None or difference is None:
        return f"{'no spread' if seeds > 1 else 'one seed alone'}: no test can be made"
    if p >= 1 - LEVEL:
        return NO_DIFFERENCE
    # The order is that of medians, which outliers and failed runs may turn around.
    return f"worse by {difference:.4g}" if difference > 0 else f"mean better by {-difference:.4g}"


def format_comparison(comparison: Comparison, width: int | None = None) -> list[str]:
    """Formats a comparison as lines for a terminal of `width` columns; None for no limit."""
    chosen = comparison.chosen
    which = "higher is better" if chosen.higher_is_better else "lower is better"
    at = f", at {comparison.kimg_words} kimg" if comparison.kimg_words else ""
    # Points need no extractor, and none of what belongs to one.
    has = {key: value for key, value in chosen.provenance.items() if value not in (None, "none")}
    lines = wrap_line(f"{chosen.metric} ({which}){at}", width)
    lines += list_lines("", has, map(format_value, has.values()), width) if has else []
    cells = [row_cells(row, comparison.has_failures) for row in comparison.rows]
    lines += ["", *ranking_lines(columns_of(comparison), cells, len(comparison.by), width), ""]
    lines += [line for note in notes_of(comparison) for line in wrap_line(note, width, indent=2)]
    if comparison.differing:
        lines += ["", "settings that differ", *value_lines(differing_cells(comparison), width)]
    return lines


def columns_of(comparison: Comparison) -> list[str]:
    """Names of the columns: the settings, the verdict, how many runs failed if any, and the numbers."""
    ends = (
        ["did not end", comparison.count_name, "median", "mean of ended"]
        if comparison.has_failures
        else [comparison.count_name, "median", "mean"]
    )
    return [*comparison.by, "against the best", *ends, "95 % interval", "p", "minimum detectable effect"]


def row_cells(row: GroupRow, has_failures: bool) -> tuple[str, ...]:
    """Cells of a row of the table, one for each of its columns."""
    between = "–" if row.low is None else f"[{row.low:.4g}, {row.high:.4g}]"
    p = "–" if row.p is None else "< 0.001" if row.p < 0.001 else f"{row.p:.3f}"
    could = "–" if row.detectable is None else f"{row.detectable:.3g}"
    settings = (format_value(value) for value in row.group.settings.values())
    ends = (f"{row.failed_count} of {row.count}" if row.failed_count else "–",) if has_failures else ()
    median, mean = ("–" if number is None else f"{number:.4g}" for number in (row.median, row.mean))
    return (*settings, row.verdict, *ends, str(row.count), median, mean, between, p, could)


def differing_cells(comparison: Comparison) -> list[tuple[str, str]]:
    """Rows of the table of settings that differ: name and values."""
    return [(name, ", ".join(map(format_value, values))) for name, values in comparison.differing.items()]


def format_value(value: object) -> str:
    """Formats a whole value on one line, with all digits that tell it from others; slashes part a list."""
    if isinstance(value, list | tuple):
        return "/".join(map(format_value, value)) or "–"
    return one_line(str(value) if isinstance(value, bool) else as_flag(value))


def to_json(comparison: Comparison) -> JsonObject:
    """Converts a whole comparison to an object for JSON."""
    found = asdict(
        comparison, dict_factory=lambda items: {JSON_KEYS.get(key, key): value for key, value in items}
    )
    return {**found, "notes": notes_of(comparison)}


def to_csv(comparison: Comparison) -> str:
    """Converts a comparison to CSV: a line for every experiment, with its group's settings.

    The score of one that failed, diverged or collapsed is empty, and the last column has the reason.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*comparison.by, "seed", "run", comparison.chosen.metric, "kimg", "did not end"])
    for row in comparison.rows:
        group = row.group
        settings = [format_value(value) for value in group.settings.values()]
        for seed, name, score, kimg in zip(group.seeds, group.names, group.scores, group.kimg, strict=True):
            writer.writerow([*settings, seed, name, score, kimg, ""])
        for run in group.failed_runs:
            writer.writerow([*settings, run.seed, run.name, "", "", run.reason])
    return text.getvalue()
