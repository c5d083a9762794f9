"""Curves of scores over kimg, and charts: means of groups, bands from the lowest seed to the highest."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from experiments.analysis.page.line_chart import LineChart, Series
from experiments.analysis.page.score_names import GRADIENTS, KINDS, METRICS, ScoreName, name_score
from experiments.core.bounds import UNBOUNDED, Bounds
from experiments.core.named_values import JsonObject
from experiments.runs.score_lines import is_number
from experiments.runs.scores import NUMBER

POINTS = 160  # largest number of points in a curve
NO_TERMS = ("step", "kimg", "seconds", "images_per_second", "waiting_for_data")
Curve = tuple[list[float], list[float]]  # kimg in ascending order, and the values there


@dataclass(frozen=True)
class RunCurves:
    """Curves of a run by the names of their scores, and the loss that sets the size of some."""

    loss: str
    curves: Mapping[str, Curve]


Groups = Sequence[tuple[str, Sequence[RunCurves]]]  # names and runs of groups, whose numbers are their places


def curves_of(lines: Iterable[JsonObject]) -> dict[str, Curve]:
    """Curves of scores by name in lines of scores: kimg in ascending order, and the values there.

    Values that are not finite are left out: the JSON that a browser reads has none.
    """
    found: dict[str, dict[float, float]] = {}
    for line in lines:
        if is_number(line.get("kimg")) and math.isfinite(line["kimg"]):
            for name, value in line.items():
                if name not in NO_TERMS and is_number(value) and math.isfinite(value):
                    found.setdefault(name, {})[line["kimg"]] = value
    return {
        name: (sorted(points), [points[each] for each in sorted(points)]) for name, points in found.items()
    }


def metric_chart(groups: Groups, metric: str, note: str, bounds: Bounds = UNBOUNDED) -> LineChart | None:
    """Chart of an evaluation score over kimg; None where no run was scored twice.

    Args:
        bounds: the smallest and largest value that it can have.
    """
    title = f"{metric} over training"
    return _chart(_numbered(groups, NUMBER + metric), title, note, metric, True, bounds)


def diagnostic_charts(groups: Groups, without: str = "") -> dict[str, list[LineChart]]:
    """Charts of all scores by their kind: an axis for each score, and for each loss that sets its size.

    Args:
        without: an evaluation score that stands elsewhere.
    """
    keys = dict.fromkeys(key for _, runs in groups for run in runs for key in run.curves)
    charts: dict[str, list[LineChart]] = {kind: [] for kind in KINDS}
    for key in sorted(keys):
        if key != NUMBER + without:
            name = name_score(key)
            charts[name.kind] += _charts_of_score(key, name, groups)
    return {kind: own for kind, own in charts.items() if own}


def _charts_of_score(key: str, name: ScoreName, groups: Groups) -> list[LineChart]:
    """Charts of a score: one, or where its size depends on the loss, one for each loss."""
    title = f"{name.title} over training" if name.kind == METRICS else name.title
    losses = list(dict.fromkeys(run.loss for _, runs in groups for run in runs))
    may_be_log = name.kind in (METRICS, GRADIENTS)
    axis = (name.y_title, may_be_log, name.bounds)
    if not name.depends_on_loss or len(losses) < 2:
        charts = [_chart(_numbered(groups, key), title, "", *axis)]
    else:
        charts = [
            _chart(_numbered(groups, key, loss), title, f"with the loss {loss}", *axis) for loss in losses
        ]
    return [chart for chart in charts if chart]


def _numbered(groups: Groups, key: str, loss: str | None = None) -> dict[int, tuple[str, list[Curve]]]:
    """Curves of a score of two points or more, by the numbers of their groups, with the groups' names."""
    return {
        number: (
            label,
            [
                run.curves[key]
                for run in runs
                if loss in (None, run.loss) and len(run.curves.get(key, ((), ()))[0]) > 1
            ],
        )
        for number, (label, runs) in enumerate(groups)
    }


def _chart(
    groups: Mapping[int, tuple[str, Sequence[Curve]]],
    title: str,
    note: str,
    y_title: str,
    may_be_log: bool,
    bounds: Bounds,
) -> LineChart | None:
    """Chart of a score of groups by their numbers; None where no group has a curve of it."""
    series = []
    for number, (label, curves) in groups.items():
        if curves:
            found = band(curves)
            ends = (found.low, found.high) if len(curves) > 1 else ((), ())
            series.append(Series(number, label, found.kimg, found.mean, *ends))
    shown = [each for each in series if any(value is not None for value in each.y)]
    return LineChart(title, note, y_title, shown, may_be_log=may_be_log, bounds=bounds) if shown else None


class Band(NamedTuple):
    """Band of several curves: kimg, and their lowest, mean and highest value there; None for a gap."""

    kimg: list[float]
    low: list[float | None]
    mean: list[float | None]
    high: list[float | None]


def band(curves: Sequence[Curve]) -> Band:
    """Computes the band of several curves where all of them are known.

    A mean of numbers near the largest float may be none, and is a gap.
    """
    start, end = max(kimg[0] for kimg, _ in curves), min(kimg[-1] for kimg, _ in curves)
    if start > end:
        return Band([], [], [], [])
    longest = max((kimg for kimg, _ in curves), key=len)
    within = [kimg for kimg in longest if start <= kimg <= end] or [start]
    grid = np.array(within if len(within) <= POINTS else np.linspace(start, end, POINTS))
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.stack([np.interp(grid, kimg, value) for kimg, value in curves])
        rows = (values.min(axis=0), values.mean(axis=0), values.max(axis=0))
    low, mean, high = (
        [float(f"{value:.6g}") if math.isfinite(value) else None for value in row] for row in rows
    )
    return Band([float(f"{kimg:.6g}") for kimg in grid], low, mean, high)
