"""Score curves over kimg: the mean of each group, and a band from its lowest to its highest seed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.analysis.comparison.record import Record
from experiments.core.named_values import JsonObject

POINTS = 200  # largest number of points in a curve
COLOURS = ("#3b6fd4", "#e07b39", "#3a9a5b", "#b04a9d", "#c2a01e", "#3aa6b9", "#8b5e3c", "#d1495b", "#777777")
NO_TERMS = ("step", "kimg", "seconds", "images_per_second")
Groups = Mapping[str, Sequence[Record]]


def figures_of(groups: Groups) -> dict[str, JsonObject]:
    """Builds Plotly figures by score name, one for every score that some run has over time, metrics first."""
    names: dict[str, None] = {}
    for records in groups.values():
        for record in records:
            for line in record.lines:
                names |= dict.fromkeys(key for key in line if key not in NO_TERMS)
    ordered = sorted(names, key=lambda name: (not name.startswith("metric/"), name))
    figures = {name: _figure(name, groups) for name in ordered}
    return {name: figure for name, figure in figures.items() if figure["data"]}


def _figure(name: str, groups: Groups) -> JsonObject:
    """Builds the Plotly figure of one score: for each group a mean curve and a band."""
    traces: list[dict[str, Any]] = []
    for number, (label, records) in enumerate(groups.items()):
        curves = [curve for record in records if len((curve := curve_of(record, name))[0]) > 1]
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
                {**group, "x": kimg, "y": mean, "name": label, "line": {"color": colour, "width": 2}}
            )
    layout = {
        "title": {"text": name, "font": {"size": 14}},
        "height": 320,
        "margin": {"l": 50, "r": 10, "t": 36, "b": 40},
        "xaxis": {"title": {"text": "kimg"}, "gridcolor": "#8883", "zerolinecolor": "#8885"},
        "yaxis": {"gridcolor": "#8883", "zerolinecolor": "#8885"},
        "showlegend": len(groups) > 1,
    }
    return {"data": traces, "layout": layout}


def curve_of(record: Record, name: str) -> tuple[list[float], list[float]]:
    """Curve of one score of a record: kimg in ascending order, and the values there.

    Values that are not finite are left out: the JSON that a browser reads has none.
    """
    points = {
        line["kimg"]: line[name]
        for line in record.lines
        if line.get("kimg") is not None and math.isfinite(line.get(name, math.nan))
    }
    kimg = sorted(points)
    return kimg, [points[each] for each in kimg]


def _band(curves: Sequence[tuple[list[float], list[float]]]) -> tuple[list[float], ...]:
    """Band of several curves: kimg, and their lowest, mean and highest value, where all of them are known."""
    start, end = max(kimg[0] for kimg, _ in curves), min(kimg[-1] for kimg, _ in curves)
    longest = max((kimg for kimg, _ in curves), key=len)
    within = [kimg for kimg in longest if start <= kimg <= end] or [start]
    grid = np.array(within if len(within) <= POINTS else np.linspace(start, end, POINTS))
    values = np.stack([np.interp(grid, kimg, value) for kimg, value in curves])
    rows = (grid, values.min(axis=0), values.mean(axis=0), values.max(axis=0))
    return tuple([float(f"{value:.6g}") for value in row] for row in rows)
