"""Plot of power spectra and of correlations between channels, of samples beside real images."""

from typing import TYPE_CHECKING, Any

import torch

from experiments.core.images import from_uint8
from experiments.core.plot_style import SERIES, styled
from experiments.evaluation.sample_sets import SampleSet
from metrics.core.spectra import ChannelStatistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SPECTRA = 8  # channels whose spectra can be told apart in one panel
DARK = 0.7  # correlation whose colour takes white letters


def channel_statistics(side: SampleSet) -> ChannelStatistics:
    """Spectra and correlations of all images of a side, in [−1, 1]."""
    found = ChannelStatistics("plot of spectra")
    for batch in side.batches():
        found.update(from_uint8(batch))
    return found


@styled
def draw_spectra(fakes: ChannelStatistics, reals: ChannelStatistics) -> "Figure":
    """Draws the power of each channel over the frequency, and both matrices of correlations.

    Samples are solid lines, real images dashed ones of the same colour.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.8))
    figure.suptitle("Spectra and channels of generated and real images", x=0.01, ha="left")
    left, *matrices = figure.subplots(1, 3, width_ratios=(1.4, 1, 1))
    spectra, real = fakes.spectra(), reals.spectra()
    cycles = torch.arange(1, spectra.shape[1] + 1).numpy()
    for channel in range(min(len(spectra), MOST_SPECTRA)):
        colour = SERIES[channel]
        left.loglog(cycles, spectra[channel].numpy(), color=colour, label=f"channel {channel + 1}")
        left.loglog(cycles, real[channel].numpy(), color=colour, linestyle="--")
    shown = f", {MOST_SPECTRA} of {len(spectra)} channels" * (len(spectra) > MOST_SPECTRA)
    left.set(
        title=f"Power spectra: generated solid, real dashed{shown}",
        xlabel="frequency (cycles over the short side)",
        ylabel="power of a wave (data in [−1, 1], squared)",
    )
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter("{x:g}" if len(cycles) < 10 else "")
    left.legend()
    for axes, side, name in zip(matrices, (fakes, reals), ("generated", "real"), strict=True):
        _draw_correlations(axes, side, name)
    return figure


def _draw_correlations(axes: Any, side: ChannelStatistics, name: str) -> None:
    """Draws the correlations between the channels of a side, in [−1, 1]."""
    matrix = side.correlations()
    image = axes.imshow(matrix.numpy(), vmin=-1, vmax=1, cmap="RdBu_r")
    numbers = range(1, len(matrix) + 1)
    axes.set_xticks(range(len(matrix)), numbers)
    axes.set_yticks(range(len(matrix)), numbers)
    axes.set(title=f"Correlations, {name}", xlabel="channel", ylabel="channel")
    axes.grid(visible=False)
    if len(matrix) <= MOST_SPECTRA:
        for row in range(len(matrix)):
            for column in range(len(matrix)):
                value = matrix[row, column].item()
                axes.text(
                    *(column, row, f"{value:.2f}"),
                    ha="center",
                    va="center",
                    fontsize="small",
                    color="white" if abs(value) > DARK else "black",
                )
    axes.figure.colorbar(image, ax=axes, label="correlation", shrink=0.8)
