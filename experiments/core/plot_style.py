"""Style of all plots of matplotlib: one style sheet, and the colours of what is compared."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

STYLE = Path(__file__).with_name("plots.mplstyle")
GENERATED, REAL = "#2563c9", "#9aa1ab"  # generated beside real images
SERIES = ("#2563c9", "#c2520a", "#1b7d4f", "#a83c90", "#7d6a00", "#0b788c", "#87572f", "#bd2d46")
RAW, LIMIT, SUGGESTED, CURRENT = "#c9ced6", "#bd2d46", "#1b7d4f", "#3d4652"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Makes a function draw, and render what it returns, in the style of all plots."""

    @wraps(draw)
    def draw_in_style(*words: Arguments.args, **named: Arguments.kwargs) -> Result:
        from matplotlib import style

        with style.context(STYLE):
            return draw(*words, **named)

    return draw_in_style
