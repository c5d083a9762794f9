"""HTML report of runs: the answer, the scores, samples beside real images, curves, settings and commands.

It is one file that opens without a network. Its template is experiments/analysis/page/templates/report.html.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import float_info
from typing import Any

from experiments.analysis.comparison.again import commands_of, folders_of, report_command
from experiments.analysis.comparison.answer import answer_of, group_name
from experiments.analysis.comparison.groups import as_hashable, value_of
from experiments.analysis.comparison.notes import notes_of
from experiments.analysis.comparison.provenance import environment_rows, provenance_table
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.result import BEST, NO_DIFFERENCE, TIED, Comparison, GroupRow
from experiments.analysis.comparison.score_choice import scores_by_name
from experiments.analysis.comparison.score_plot import plot_scores
from experiments.analysis.comparison.terminal_table import format_value, row_cells
from experiments.analysis.page.curves import RunCurves, curves_of, diagnostic_charts, metric_chart
from experiments.analysis.page.document import render_page
from experiments.analysis.page.pictures import EmbeddedPicture, Timeline, real_images, sample_grids
from experiments.runs.score_lines import is_number
from experiments.runs.scores import NUMBER

MOST_SETTINGS = 2  # that have columns of their own in the ranking


@dataclass(frozen=True)
class ReportGroup:
    """Group of a report.

    Attributes:
        name: its settings in words.
        records: its runs that ended.
        failed: its runs that failed, diverged or collapsed, with the reason.
        row: its row of the comparison; None without one.
    """

    name: str
    records: Sequence[Record]
    failed: Sequence[tuple[Record, str]] = ()
    row: GroupRow | None = None

    @property
    def all_records(self) -> list[Record]:
        """All runs of the group, those that ended first."""
        return [*self.records, *(record for record, _ in self.failed)]


def render_report(records: Sequence[Record], comparison: Comparison | None, why_not: str = "") -> str:
    """Renders the HTML report of runs.

    Args:
        comparison: None for curves and samples without a comparison.
        why_not: the reason why there is no comparison.
    """
    groups = _groups(records, comparison)
    pictures = _Pictures(groups)
    values: dict[str, Any] = {
        "title": _title(records),
        "records": records,
        "groups": groups,
        "why_not": why_not,
        "comparison": comparison,
        "pictures": pictures,
        "differing": _differing(groups, comparison),
        "scores": provenance_table(records, comparison.chosen.metric if comparison else ""),
        "environment": environment_rows(records),
        "runs": [_run_row(record) for record in records],
        "again": _again(groups, comparison),
        **_curves(groups, comparison),
        **(_compared(comparison) if comparison else {}),
    }
    return render_page("report.html", values)


def _title(records: Sequence[Record]) -> str:
    """Title of the report: the architectures and data sets of the runs."""
    words = [
        dict.fromkeys(str(r.settings[name]) for r in records if name in r.settings)
        for name in ("arch", "data")
    ]
    return " on ".join(", ".join(each) for each in words if each) or "runs"


def _groups(records: Sequence[Record], comparison: Comparison | None) -> list[ReportGroup]:
    """Groups by rank; without a comparison, each run is its own."""
    if comparison is None:
        return [ReportGroup(record.name, [record]) for record in records]
    named = {record.name: record for record in records}
    return [
        ReportGroup(
            group_name(row.group),
            [named[name] for name in row.group.names],
            [(named[run.name], run.reason) for run in row.group.failed_runs],
            row,
        )
        for row in comparison.rows
    ]


def _compared(comparison: Comparison) -> dict[str, Any]:
    """Values of the first screen: the answer, the picture of the scores, the table and its notes."""
    rows, chosen = comparison.rows, comparison.chosen
    total, failed = sum(row.count for row in rows), sum(row.failed_count for row in rows)
    return {
        "answer": answer_of(comparison),
        "plot": plot_scores(comparison),
        "notes": notes_of(comparison),
        "table": [_table_row(number, row, comparison) for number, row in enumerate(rows)],
        "total": total,
        "failed": failed,
        "seeds": _range([row.count for row in rows]),
        "which": "higher is better" if chosen.higher_is_better else "lower is better",
    }


def _range(counts: Sequence[int]) -> str:
    """Numbers from the least to the greatest, in words."""
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _table_row(number: int, row: GroupRow, comparison: Comparison) -> dict[str, Any]:
    """Row of the table: its rank, cells by name with their sort keys, and the kind of its verdict."""
    count = len(row.group.settings)
    cells = row_cells(row, has_failures=True)
    verdict, _, seeds, median, mean, interval, p, detectable = cells[count:]
    kind = "good" if row.verdict == BEST else "fair" if row.verdict in (NO_DIFFERENCE, TIED) else ""
    if row.median is None or row.verdict.startswith("worse"):
        kind = "bad"
    settings = list(zip(comparison.by, cells[:count], strict=True))
    if count > MOST_SETTINGS:
        settings = [("settings", group_name(row.group))]
    worst = -float_info.max if comparison.chosen.higher_is_better else float_info.max

    def key(value: float | None, unknown: float) -> float:
        return unknown if value is None else value

    return {
        "rank": row.rank,
        "group": number,
        "settings": settings or [("runs", "all")],
        "verdict": verdict,
        "kind": kind,
        "failed": f"{row.failed_count} of {row.count}",
        "share": row.failed_share,
        "numbers": [
            (comparison.count_name, seeds, row.count),
            ("median", median, key(row.median, worst)),
            ("mean of ended" if comparison.has_failures else "mean", mean, key(row.mean, worst)),
            ("95 % interval", interval, key(row.low, worst)),
            ("p", p, key(row.p, 2.0)),
            ("minimum detectable effect", detectable, key(row.detectable, float_info.max)),
        ],
    }


class _Pictures:
    """Pictures of the groups: sample grids of every run, and the real images.

    Attributes:
        timelines: those of each group, in the order of the groups.
        shared: the real images, where all groups have the same.
        real: those of each group otherwise; None for a group without.
        times: every kimg of some grid, in ascending order.
    """

    def __init__(self, groups: Sequence[ReportGroup]) -> None:
        names = short_names([record.name for group in groups for record in group.all_records])
        self.timelines = [_timelines(number, group, names) for number, group in enumerate(groups)]
        self.real: list[EmbeddedPicture | None] = [_real(group) for group in groups]
        sources = {picture.source for picture in self.real if picture}
        self.shared = next((each for each in self.real if each), None) if len(sources) == 1 else None
        kimg = {picture.kimg for lines in self.timelines for line in lines for picture in line.pictures}
        self.times = sorted(kimg)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of runs without the folders that all of them are in.

    >>> short_names(["runs/sweep/bce-0", "runs/sweep/bce-1"])
    {'runs/sweep/bce-0': 'bce-0', 'runs/sweep/bce-1': 'bce-1'}
    """
    parts = [name.split("/") for name in names]
    shared = 0
    while all(len(own) > shared + 1 for own in parts) and len({own[shared] for own in parts}) == 1:
        shared += 1
    return {name: "/".join(own[shared:]) for name, own in zip(names, parts, strict=True)}


def _timelines(number: int, group: ReportGroup, names: Mapping[str, str]) -> list[Timeline]:
    """Sample grids of the runs of a group."""
    reasons = {record.name: f"did not end: {reason}" for record, reason in group.failed}
    return [
        Timeline(
            names[record.name],
            reasons.get(record.name) or ("" if record.state == "finished" else record.state),
            number,
            sample_grids(record.folder) if record.folder else [],
        )
        for record in group.all_records
    ]


def _real(group: ReportGroup) -> EmbeddedPicture | None:
    """The real images that the first run with some has saved."""
    found = (real_images(record.folder) for record in group.all_records if record.folder)
    return next((picture for picture in found if picture), None)


def _curves(groups: Sequence[ReportGroup], comparison: Comparison | None) -> dict[str, Any]:
    """Charts: of the compared score, and of everything else by its kind."""
    curves = [(group.name, [_run_curves(record) for record in group.records]) for group in groups]
    if comparison is None:
        return {"metric_chart": None, "diagnostics_of": diagnostic_charts(curves)}
    metric = comparison.chosen.metric
    note = "higher is better" if comparison.chosen.higher_is_better else "lower is better"
    return {
        "metric_chart": metric_chart(curves, metric, note, comparison.chosen.bounds),
        "diagnostics_of": diagnostic_charts(curves, without=metric),
    }


def _run_curves(record: Record) -> RunCurves:
    """Curves of a run, of its training and of its evaluations."""
    evaluations = [
        {"kimg": mark.kimg, f"{NUMBER}{name}": mark.value}
        for name, marks in scores_by_name(record).items()
        for mark in marks
    ]
    return RunCurves(str(record.settings.get("loss")), curves_of([*record.lines, *evaluations]))


def _differing(
    groups: Sequence[ReportGroup], comparison: Comparison | None
) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Settings that differ: name, and for each group its values and whether they are the best group's."""
    if comparison is None:
        return []
    found = []
    for name in comparison.differing:
        values = [
            dict.fromkeys(as_hashable(value_of(record, name)) for record in group.all_records)
            for group in groups
        ]
        cells = [(" or ".join(map(format_value, own)), own.keys() == values[0].keys()) for own in values]
        found.append((name, cells))
    return found


def _run_row(record: Record) -> dict[str, Any]:
    """Row of the table of runs: seed, state, kimg and seconds, each with its sort key."""
    timed = [line for line in record.lines if line.get("seconds") is not None]
    last = timed[-1] if timed else {}
    numbers = {"seed": record.settings.get("seed"), "kimg": last.get("kimg"), "seconds": last.get("seconds")}
    cells = {
        name: (_short(value), float(value)) if is_number(value) else ("–", -1.0)
        for name, value in numbers.items()
    }
    return {"name": record.name, "state": record.state, **cells}


def _short(number: float) -> str:
    """Number in words; a whole one, such as a seed, with all its digits."""
    is_whole = float(number).is_integer() and abs(number) < 1e15
    return str(int(number)) if is_whole else f"{number:g}"


def _again(groups: Sequence[ReportGroup], comparison: Comparison | None) -> dict[str, Any]:
    """Commands that make the groups' runs again, and the report."""
    metric = comparison.chosen.metric if comparison else None
    folders = folders_of([record for group in groups for record in group.all_records])
    return {
        "groups": [(group.name, commands_of(group.all_records, folders, metric)) for group in groups],
        "report": report_command(comparison.by if comparison else (), metric),
    }
