"""Curves of scores and losses as small SVG pictures with axes, which a page shows without a library."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from experiments.analysis.page.scale import Scale
from experiments.analysis.page.score_names import name_score
from experiments.core.bounds import UNBOUNDED, Bounds
from experiments.exploration.run_watch import TERMS, Curve
from experiments.runs.scores import NUMBER

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 24, 24  # around the plot
MOST_POINTS = 300  # of a curve, more than its pixels


def draw_curves(curves: Mapping[str, Curve], kimg: float | None = None) -> list[str]:
    """Draws a plot for each score, and one for both losses, as SVG.

    Args:
        kimg: the moment whose values are told, at a line; None for the newest ones, without a line.
    """
    losses = {name: curves[name] for name in TERMS if name in curves}
    plots = {name.removeprefix(NUMBER): {name: curves[name]} for name in curves if name not in losses}
    if losses:
        plots["adversarial losses"] = losses
    across = _scale_of_times([time for curve in curves.values() for time, _ in curve])
    return [draw_plot(title, shown, across, kimg) for title, shown in plots.items()]


def draw_plot(title: str, curves: Mapping[str, Curve], across: Scale, kimg: float | None = None) -> str:
    """Draws curves over kimg in one plot, with their names where there are several, and a moment's values."""
    thinned = [_thin(curve) for curve in curves.values()]
    values = [value for curve in thinned for _, value in curve]
    upwards = Scale(*_range(values, name_score(next(iter(curves))).bounds))

    def place(point: tuple[float, float]) -> tuple[str, str]:
        x = LEFT + across.share(point[0]) * (WIDTH - LEFT - RIGHT)
        return f"{x:.1f}", f"{HEIGHT - BOTTOM - upwards.share(point[1]) * (HEIGHT - TOP - BOTTOM):.1f}"

    lines = []
    told = {name: _point_at(curve, kimg) for name, curve in curves.items()}
    if kimg is not None and across.low <= kimg <= across.high:
        x, _ = place((kimg, upwards.low))
        lines.append(f'<line class="moment" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    for index, (curve, point) in enumerate(zip(thinned, told.values(), strict=True)):
        x, y = place(point)
        line = " ".join(",".join(place(each)) for each in curve)
        lines.append(f'<polyline class="curve-{index}" points="{line}"/>')
        lines.append(f'<circle class="curve-{index}" cx="{x}" cy="{y}" r="2.5"/>')
    # A score that was made later is none of the moment.
    last = {name: point[1] for name, point in told.items() if kimg is None or point[0] <= kimg}
    named = [f"{name.partition('/')[0]} " * (len(curves) > 1) + f"{last[name]:.4g}" for name in last]
    words = f"{title}: {', '.join(named)}" if named else title
    parts = [_heading(title, last, len(curves) > 1), *_axes(across, upwards, values), *lines]
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>"
    )


def _heading(title: str, last: Mapping[str, float], is_of_several: bool) -> str:
    """The title with the newest value of each curve that has one."""
    if not is_of_several:
        value = "".join(f'<tspan class="newest"> {number:.4g}</tspan>' for number in last.values())
    else:
        value = "".join(
            f'<tspan class="name-{index}"> {escape(name.partition("/")[0])} {number:.3g}</tspan>'
            for index, (name, number) in enumerate(last.items())
        )
        title = title.removeprefix("adversarial ")
    return f'<text class="title" x="{LEFT}" y="14">{escape(title)}{value}</text>'


def _axes(across: Scale, upwards: Scale, values: Sequence[float]) -> list[str]:
    """The axes, with their ends and the middle of the range; of equal values with that alone."""
    end, parts = WIDTH - RIGHT, []
    is_one = min(values) == max(values)
    ticks = [values[0]] if is_one else [upwards.low, upwards.low / 2 + upwards.high / 2, upwards.high]
    for value in ticks:
        y = HEIGHT - BOTTOM - upwards.share(value) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:.3g}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{across.low:.4g}</text>')
    parts.append(f'<text x="{end}" y="{HEIGHT - 8}" text-anchor="end">{across.high:.4g} kimg</text>')
    return parts


def _point_at(curve: Curve, kimg: float | None) -> tuple[float, float]:
    """The last point of a curve up to a time, or of all; the first where it begins later."""
    return curve[-1] if kimg is None else next((p for p in reversed(curve) if p[0] <= kimg), curve[0])


def _scale_of_times(times: Sequence[float]) -> Scale:
    """The scale of all plots of a run: they have one, so that a score stands where it was made."""
    low, high = min(times, default=0.0), max(times, default=0.0)
    return Scale(low, high) if high > low else Scale(0.0, high or 1.0)


def _range(values: Sequence[float], bounds: Bounds = UNBOUNDED) -> tuple[float, float]:
    """The range of values, not empty; of equal ones within what they can be."""
    low, high = min(values), max(values)
    if high > low:
        return low, high
    around = (low - abs(low or 1) / 2, high + abs(high or 1) / 2)
    return (max(around[0], min(bounds[0], low)), min(around[1], max(bounds[1], high)))


def _thin(curve: Curve) -> Curve:
    """Thins a curve to `MOST_POINTS`: means of neighbours, and the last as it is."""
    if len(curve) <= MOST_POINTS:
        return curve
    ends = [round(index * len(curve) / MOST_POINTS) for index in range(MOST_POINTS + 1)]
    parts = [curve[begin:end] for begin, end in pairwise(ends)]
    means = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    return [*means[:-1], curve[-1]]
