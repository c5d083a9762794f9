"""Picture of the compared score: a strip for each group with every seed, the mean and its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.analysis.comparison.result import Comparison, GroupRow
from experiments.analysis.page.scale import Scale, scale_of

NEAR_PERCENT = 1.6  # seeds that are nearer than this stand below each other
OFFSETS = (0, -7, 7, -13, 13)  # pixels from the middle of the strip


@dataclass(frozen=True)
class Dot:
    """Score of a run in the picture.

    Attributes:
        percent: position from the left.
        offset: pixels below the middle.
        words: the run, its seed and its score.
    """

    percent: float
    offset: int
    words: str


@dataclass(frozen=True)
class Strip:
    """Strip of a group: positions in percent from the left; None where there is no number.

    Attributes:
        dots: the runs that ended.
        mean, low, high: of the group, and the ends of its interval.
        words: all of it, as text for screen readers.
    """

    dots: Sequence[Dot]
    mean: float | None
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True)
class ScorePlot:
    """Picture of the scores of all groups over one axis.

    Attributes:
        strips: in the order of the groups.
        ticks: positions in percent, and their numbers.
        is_log: whether the axis is logarithmic.
    """

    strips: Sequence[Strip]
    ticks: Sequence[tuple[float, float]]
    is_log: bool


def plot_scores(comparison: Comparison) -> ScorePlot:
    """Places the scores, means and intervals of all groups on one axis."""
    rows = comparison.rows
    shown = [score for row in rows for score in row.group.scores]
    shown += [end for row in rows for end in (row.low, row.high) if end is not None]
    scale = scale_of(shown, may_be_log=True, bounds=comparison.chosen.bounds)
    ticks = [(scale.percent(tick), tick) for tick in scale.ticks()]
    return ScorePlot([_strip(row, scale, comparison.chosen.metric) for row in rows], ticks, scale.is_log)


def _strip(row: GroupRow, scale: Scale, metric: str) -> Strip:
    """Strip of a group."""
    group = row.group
    runs = sorted(zip(group.scores, group.seeds, group.names, strict=True))
    dots: list[Dot] = []
    for score, seed, name in runs:
        at = scale.percent(score)
        near = [dot.offset for dot in dots if at - dot.percent < NEAR_PERCENT]
        free = next((offset for offset in OFFSETS if offset not in near), 0)
        dots.append(Dot(at, free, f"{name}, seed {seed}: {metric} {score:.6g}"))
    mean, low, high = (None if end is None else scale.percent(end) for end in (row.mean, row.low, row.high))
    interval = "" if row.low is None else f", 95 % interval {row.low:.4g} to {row.high:.4g}"
    seeds = "; ".join(f"seed {seed} {score:.4g}" for score, seed, _ in runs)
    words = "no run ended" if row.mean is None else f"mean {row.mean:.4g}{interval}; {seeds}"
    return Strip(dots, mean, low, high, words)
