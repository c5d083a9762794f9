"""Curves of scores and losses as small SVG pictures with axes, which a page shows without a library."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from experiments.analysis.page.scale import Scale
from experiments.exploration.run_watch import TERMS, Curve

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 24, 24  # around the plot
MOST_POINTS = 300  # of a curve, more than its pixels


def draw_curves(curves: Mapping[str, Curve]) -> list[str]:
    """Draws a plot for each score, and one for both losses, as SVG."""
    losses = {name: curves[name] for name in TERMS if name in curves}
    scores = {name: curve for name, curve in curves.items() if name not in losses}
    drawn = [draw_plot(name.removeprefix("metric/"), {name: curve}) for name, curve in scores.items()]
    return [*drawn, *([draw_plot("adversarial losses", losses)] if losses else [])]


def draw_plot(title: str, curves: Mapping[str, Curve]) -> str:
    """Draws curves over kimg in one plot, with their names where there are several."""
    thinned = [_thin(curve) for curve in curves.values()]
    points = [point for curve in thinned for point in curve]
    (left, right), (low, high) = (_range(values) for values in zip(*points, strict=True))

    def place(point: tuple[float, float]) -> str:
        x = LEFT + Scale(left, right).share(point[0]) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - Scale(low, high).share(point[1]) * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    lines = []
    for index, curve in enumerate(thinned):
        x, _, y = place(curve[-1]).partition(",")
        lines.append(f'<polyline class="curve-{index}" points="{" ".join(map(place, curve))}"/>')
        lines.append(f'<circle class="curve-{index}" cx="{x}" cy="{y}" r="2.5"/>')
    last = {name: curve[-1][1] for name, curve in curves.items()}
    newest = ", ".join(f"{name.partition('/')[0]} {value:.4g}" for name, value in last.items())
    words = f"{title}: {newest if len(last) > 1 else f'{next(iter(last.values())):.4g}'}"
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f"{_heading(title, last)}{_axes((left, right), (low, high))}{''.join(lines)}</svg>"
    )


def _heading(title: str, last: Mapping[str, float]) -> str:
    """The title with the newest value of each curve."""
    if len(last) == 1:
        value = f'<tspan class="newest"> {next(iter(last.values())):.4g}</tspan>'
    else:
        value = "".join(
            f'<tspan class="name-{index}"> {escape(name.partition("/")[0])} {number:.3g}</tspan>'
            for index, (name, number) in enumerate(last.items())
        )
        title = title.removeprefix("adversarial ")
    return f'<text class="title" x="{LEFT}" y="14">{escape(title)}{value}</text>'


def _axes(across: tuple[float, float], upwards: tuple[float, float]) -> str:
    """The axes, with their ends and the middle of the range."""
    bottom, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for value, y in zip(
        (upwards[0], sum(upwards) / 2, upwards[1]), (bottom, (bottom + TOP) / 2, TOP), strict=True
    ):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:.3g}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{across[0]:.4g}</text>')
    parts.append(f'<text x="{end}" y="{HEIGHT - 8}" text-anchor="end">{across[1]:.4g} kimg</text>')
    return "".join(parts)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The range of values, not empty."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - abs(low or 1) / 2, high + abs(high or 1) / 2)


def _thin(curve: Curve) -> Curve:
    """Thins a curve to `MOST_POINTS`: means of neighbours, and the last as it is."""
    if len(curve) <= MOST_POINTS:
        return curve
    ends = [round(index * len(curve) / MOST_POINTS) for index in range(MOST_POINTS + 1)]
    parts = [curve[begin:end] for begin, end in pairwise(ends)]
    means = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    return [*means[:-1], curve[-1]]
