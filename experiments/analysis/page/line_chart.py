"""Line charts in SVG: a line for each series, a band where it has several seeds, a cursor to read values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from experiments.analysis.page.scale import Scale, scale_of, short_number
from experiments.core.bounds import UNBOUNDED, Bounds

COLOURS = 8  # of page.css, which repeat with other dashes
DASHES = ("", "9 5", "2 4", "9 4 2 4")
SIZE = 1000  # of the drawing: it is stretched over the place that the page has
Values = Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """Series of a chart.

    Attributes:
        group: number of its group, which has a colour on the whole page.
        name: its name in the legend.
        x: ascending numbers.
        y: its values there; None for a gap.
        low, high: the ends of its band there; empty without one.
    """

    group: int
    name: str
    x: Sequence[float]
    y: Values
    low: Values = ()
    high: Values = ()

    @property
    def last(self) -> str:
        """The last value in a few characters."""
        return next((short_number(value) for value in reversed(self.y) if value is not None), "–")


@dataclass(frozen=True)
class LineChart:
    """Chart of series over one axis.

    Attributes:
        title: its heading.
        note: a line below that; may be empty.
        y_title, x_title: names of the axes with their units.
        may_be_log: whether an axis of positive numbers that span decades is logarithmic.
        bounds: the smallest and largest value that there can be.
    """

    title: str
    note: str
    y_title: str
    series: Sequence[Series]
    x_title: str = "kimg"
    may_be_log: bool = False
    bounds: Bounds = UNBOUNDED

    @property
    def x_scale(self) -> Scale:
        """Scale from the first to the last number."""
        known = [x for each in self.series for x in each.x]
        low, high = min(known), max(known)
        return Scale(low, high) if low < high else scale_of(known, may_be_log=False)

    @property
    def y_scale(self) -> Scale:
        """Scale on which all lines and bands have room."""
        rows = [row for each in self.series for row in (each.y, each.low, each.high)]
        known = [value for row in rows for value in row if value is not None]
        return scale_of(known, self.may_be_log, self.bounds)

    def svg(self) -> Markup:
        """Draws bands and lines, stretched over whatever place there is."""
        x, y = self.x_scale, self.y_scale
        shapes = [_band(each, x, y) for each in self.series if each.low]
        shapes += [_line(each, x, y) for each in self.series]
        return Markup("").join(shapes)

    def data(self) -> dict[str, Any]:
        """Numbers that the cursor reads: the ends of the axis, and the series by group."""
        x = self.x_scale
        series = [
            {"group": each.group, "x": each.x, "y": each.y, "low": each.low, "high": each.high}
            for each in self.series
        ]
        return {"x": [x.low, x.high], "series": series}

    @property
    def label(self) -> str:
        """Text for screen readers: what the chart shows, and where its series end."""
        ends = "; ".join(f"{each.name} ends at {each.last}" for each in self.series)
        return f"{self.title} over {self.x_title}: {ends}"


def dash_of(group: int) -> str:
    """Dashes of a group's line: groups beyond the number of colours differ in them."""
    return DASHES[group // COLOURS % len(DASHES)]


def _line(series: Series, x: Scale, y: Scale) -> Markup:
    """Line of a series; a single point between gaps is a dot."""
    parts: list[list[str]] = [[]]
    for at, value in zip(series.x, series.y, strict=True):
        if value is None:
            parts.append([])
        else:
            parts[-1].append(_at(at, value, x, y))
    path = "".join(f"M{part[0]}L{' '.join(part[1:] or part)}" for part in parts if part)
    return Markup('<path class="line c{}" data-group="{}" stroke-dasharray="{}" d="{}"/>').format(
        series.group % COLOURS, series.group, dash_of(series.group), path
    )


def _band(series: Series, x: Scale, y: Scale) -> Markup:
    """Band of a series, where both of its ends are known."""
    known = [
        (at, low, high)
        for at, low, high in zip(series.x, series.low, series.high, strict=True)
        if low is not None and high is not None
    ]
    up = [_at(at, high, x, y) for at, _, high in known]
    down = [_at(at, low, x, y) for at, low, _ in reversed(known)]
    return Markup('<path class="band c{}" data-group="{}" d="{}"/>').format(
        series.group % COLOURS, series.group, f"M{' '.join(up + down)}Z" if known else ""
    )


def _at(x: float, y: float, x_scale: Scale, y_scale: Scale) -> str:
    """Point of a path, from the top left corner."""
    return f"{SIZE * x_scale.share(x):.4g},{SIZE * (1 - y_scale.share(y)):.4g}"
