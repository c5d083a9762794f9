"""Peak signal-to-noise ratio between images and their targets, in decibels."""

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from metrics.core.pairs import PairMetric

PEAK = 2.0  # from −1 to 1
# An error as small as that of rounding to 256 levels, a twelfth of a squared level, cannot be told from it.
LARGEST = 10 * math.log10(12 * 255**2)


class PeakSignalNoiseRatio(PairMetric):
    """Mean over images of `10 log₁₀(2² / e)` dB, e the mean squared error of each on [−1, 1].

    Scores: `psnr`, 0 for black beside white and at most 58.9 dB, which equal images have: images that are
    equal to all levels but a few would otherwise be infinitely good, and any mean with them.

    >>> from metrics.psnr import PeakSignalNoiseRatio
    >>> import torch
    >>> metric = PeakSignalNoiseRatio()
    >>> metric.update(torch.stack([torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.2)], dim=1))
    >>> round(metric.compute()["psnr"], 4)
    20.0
    """

    name: ClassVar[str] = "psnr"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"psnr": True}
    ranges: Mapping[str, tuple[float, float]] = {"psnr": (0.0, LARGEST)}

    def of_each(self, made: Tensor, targets: Tensor) -> Tensor:
        errors = (made.double() - targets.double()).square().flatten(1).mean(dim=1)
        return (10 * (PEAK**2 / errors).log10()).clamp(max=LARGEST)
