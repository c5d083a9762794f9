"""Plot of learning-rate range tests: each player's terms over its rate."""

from collections.abc import Sequence

from PIL.Image import Image

from experiments.core.images import render_figure
from experiments.core.plot_style import CURRENT, GENERATED, LIMIT, RAW, SUGGESTED, styled
from experiments.training.lr_finder import RangeTest, smooth
from experiments.training.lr_suggestion import suggest

PLAYERS = {"critic": "Critic (discriminator)", "generator": "Generator"}


@styled
def plot(tests: Sequence[RangeTest]) -> Image:
    """Plots range tests: a panel for each player, with where it loses stability and the suggested rate."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5))
    figure.suptitle("Learning-rate range test: each player's loss while its rate rises", x=0.01, ha="left")
    for axes, test in zip(figure.subplots(1, len(tests), squeeze=False)[0], tests, strict=True):
        shown = test.terms if test.unstable is None else test.terms[: test.unstable]
        axes.plot(test.rates, test.terms, color=RAW, linewidth=1, label="sum of its loss terms")
        axes.plot(test.rates, smooth(test.terms), color=GENERATED, label="the same, smoothed")
        for rate, colour, words in (
            (test.limit, LIMIT, "loses stability"),
            (suggest(test).rate, SUGGESTED, "suggested"),
        ):
            if rate is not None:
                axes.axvline(rate, color=colour, linestyle="--", label=f"{words}: {rate:.2g}")
        axes.axvline(test.usual, color=CURRENT, linestyle=":", label=f"current setting: {test.usual:.2g}")
        # Terms after the limit would shrink those before it to a line.
        low, high = min(shown, default=0.0), max(shown, default=1.0)
        margin = 0.3 * (high - low) or 1.0
        axes.set(xscale="log", xlabel="learning rate (log scale)", ylabel="loss")
        axes.set(title=PLAYERS.get(test.player, test.player), ylim=(low - margin, high + margin))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return render_figure(figure)
