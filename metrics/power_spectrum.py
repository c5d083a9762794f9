"""Distance of power spectra and of correlations between channels, for images of any depth and channels."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core.metric import Metric, Reference, Takes
from metrics.core.spectra import ChannelStatistics, log_spectral_distance

NAME = "power-spectrum"
FEW = 64  # images, below which the spread of the spectra is a distance of its own


class PowerSpectrum(Metric):
    """Compares the power of the waves in images, and the correlation of their channels, with real ones.

    A physical check that needs no feature extractor and takes any number of channels. Images are periodic to
    a Fourier transform: what jumps at the border adds power that falls with k⁻², in real and generated ones
    alike.

    Args:
        reals: batches of real images `(B, C, H, W)` in [−1, 1].

    Scores: `log_spectral_distance` in decibels, the root mean square over rings of waves and channels of the
    ratio of the radially averaged powers, 0 for equal ones; `correlation_distance` in [0, 2], the root mean
    square over pairs of channels of the difference of their correlations, 0 for a single channel;
    `mean_distance` and `deviation_distance`, the largest difference of a channel's mean and standard
    deviation, in standard deviations of the real channel.

    Raises:
        ValueError: images of unequal shapes, or below 4 pixels a side; a real channel that is constant.

    >>> from metrics.power_spectrum import PowerSpectrum
    >>> import torch
    >>> images = torch.randn(8, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> metric = PowerSpectrum([images])
    >>> metric.update(images)
    >>> metric.compute()["log_spectral_distance"]
    0.0
    """

    takes: ClassVar[Takes] = "images"
    reference: ClassVar[Reference] = "images"
    higher_is_better: ClassVar[Mapping[str, bool]] = {
        "log_spectral_distance": False,
        "correlation_distance": False,
        "mean_distance": False,
        "deviation_distance": False,
    }
    ranges: Mapping[str, tuple[float, float]] = {
        "log_spectral_distance": (0.0, float("inf")),
        "correlation_distance": (0.0, 2.0),
        "mean_distance": (0.0, float("inf")),
        "deviation_distance": (0.0, float("inf")),
    }

    def __init__(self, reals: Iterable[Tensor]) -> None:
        self.reals, self.samples = ChannelStatistics(NAME), ChannelStatistics(NAME)
        for batch in reals:
            self.reals.update(batch)
        self.reals.check_channels()

    def update(self, samples: Tensor) -> None:
        if samples.dim() == 4 and tuple(samples.shape[1:]) != self.reals.shape:
            raise ValueError(
                f"{NAME}: images of shape {tuple(samples.shape[1:])}, the real ones of {self.reals.shape}"
            )
        self.samples.update(samples)

    def compute(self) -> dict[str, float]:
        distances = log_spectral_distance(self.samples.spectra(), self.reals.spectra())
        deviations, own = (
            side.covariance().diagonal().clamp(min=0).sqrt() for side in (self.samples, self.reals)
        )
        pairs = torch.triu_indices(len(own), len(own), offset=1)
        differences = (self.samples.correlations() - self.reals.correlations())[pairs[0], pairs[1]]
        of_pairs = differences.square().mean().sqrt().item() if differences.numel() else 0.0
        means = (self.samples.means() - self.reals.means()).abs() / own
        return {
            "log_spectral_distance": distances.square().mean().sqrt().item(),
            "correlation_distance": of_pairs,
            "mean_distance": means.max().item(),
            "deviation_distance": ((deviations - own).abs() / own).max().item(),
        }

    def reset(self) -> None:
        self.samples.reset()

    @property
    def remarks(self) -> tuple[str, ...]:
        fewest = min(len(self.reals), len(self.samples))
        if fewest >= FEW:
            return ()
        return (f"of {fewest} images only: the spread of their spectra adds to the distances",)
