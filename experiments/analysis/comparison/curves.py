"""Score curves over kimg: the mean of each group, and a band from its lowest to its highest seed."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from experiments.analysis.comparison.record import Record
from experiments.core.named_values import JsonObject
from experiments.runs.score_lines import is_number

POINTS = 200  # largest number of points in a curve
COLOURS = ("#3b6fd4", "#e07b39", "#3a9a5b", "#b04a9d", "#c2a01e", "#3aa6b9", "#8b5e3c", "#d1495b", "#777777")
NO_TERMS = ("step", "kimg", "seconds", "images_per_second", "waiting_for_data")
Groups = Mapping[str, Sequence[Record]]
Curve = tuple[list[float], list[float]]  # kimg in ascending order, and the values there


def figures_of(groups: Groups) -> dict[str, JsonObject]:
    """Builds Plotly figures by score name, one for every score that some run has over time, metrics first."""
    found = {label: [curves_of(record) for record in records] for label, records in groups.items()}
    names = {name: None for curves in found.values() for own in curves for name in own}
    ordered = sorted(names, key=lambda name: (not name.startswith("metric/"), name))
    figures = {
        name: _figure(
            name, {label: [own[name] for own in curves if name in own] for label, curves in found.items()}
        )
        for name in ordered
    }
    return {name: figure for name, figure in figures.items() if figure["data"]}


def _figure(name: str, groups: Mapping[str, Sequence[Curve]]) -> JsonObject:
    """Builds the Plotly figure of one score: for each group a mean curve and a band.

    Plotly reads words as HTML, so that they are escaped.
    """
    traces: list[dict[str, Any]] = []
    for number, (label, all_curves) in enumerate(groups.items()):
        curves = [curve for curve in all_curves if len(curve[0]) > 1]
        if curves:
            colour = COLOURS[number % len(COLOURS)]
            kimg, low, mean, high = _band(curves)
            group = {"legendgroup": label, "mode": "lines"}
            if len(curves) > 1:
                edge = {**group, "x": kimg, "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
                traces += [
                    {**edge, "y": low},
                    {**edge, "y": high, "fill": "tonexty", "fillcolor": colour + "33"},
                ]
            traces.append(
                {
                    **group,
                    "x": kimg,
                    "y": mean,
                    "name": escape(label, quote=False),
                    "line": {"color": colour, "width": 2},
                }
            )
    layout = {
        "title": {"text": escape(name, quote=False), "font": {"size": 14}},
        "height": 320,
        "margin": {"l": 50, "r": 10, "t": 36, "b": 40},
        "xaxis": {"title": {"text": "kimg"}, "gridcolor": "#8883", "zerolinecolor": "#8885"},
        "yaxis": {"gridcolor": "#8883", "zerolinecolor": "#8885"},
        "showlegend": len(groups) > 1,
    }
    return {"data": traces, "layout": layout}


def curves_of(record: Record) -> dict[str, Curve]:
    """Curves of a record's scores by name: kimg in ascending order, and the values there.

    Values that are not finite are left out: the JSON that a browser reads has none.
    """
    found: dict[str, dict[float, float]] = {}
    for line in record.lines:
        if is_number(line.get("kimg")) and math.isfinite(line["kimg"]):
            for name, value in line.items():
                if name not in NO_TERMS and is_number(value) and math.isfinite(value):
                    found.setdefault(name, {})[line["kimg"]] = value
    return {
        name: (sorted(points), [points[each] for each in sorted(points)]) for name, points in found.items()
    }


def _band(curves: Sequence[Curve]) -> tuple[list[float | None], ...]:
    """Band of several curves: kimg, and their lowest, mean and highest value, where all of them are known.

    A mean of numbers near the largest float may be none, and is a gap.
    """
    start, end = max(kimg[0] for kimg, _ in curves), min(kimg[-1] for kimg, _ in curves)
    longest = max((kimg for kimg, _ in curves), key=len)
    within = [kimg for kimg in longest if start <= kimg <= end] or [start]
    grid = np.array(within if len(within) <= POINTS else np.linspace(start, end, POINTS))
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.stack([np.interp(grid, kimg, value) for kimg, value in curves])
        rows = (grid, values.min(axis=0), values.mean(axis=0), values.max(axis=0))
    return tuple([float(f"{value:.6g}") if math.isfinite(value) else None for value in row] for row in rows)
