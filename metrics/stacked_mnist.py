"""Stacked MNIST: 1,000 modes from three digits, one in each channel (Metz et al. 2017, section 3.3.1)."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core.batches import checked, too_few
from metrics.core.histograms import divergence, uniform
from metrics.core.level import Level, expected_divergence, expected_modes
from metrics.core.metric import Metric, Reference, Takes

MOST_MODES = 10**7
PROTOCOL = 26_000  # samples in VEEGAN's and PacGAN's tables


class StackedMnist(Metric):
    """Counts the tuples of classes that a classifier of grey images finds in the channels.

    Works for any grey set of evenly frequent classes: with K of them in C channels there are Kᶜ modes.

    Scores: `covered` in 0…Kᶜ, the modes with any sample; `kl` of the samples' modes from the uniform truth in
    [0, C log K] nats.

    Raises:
        ValueError: more modes than can be counted, or no samples.

    >>> import torch
    >>> from metrics.stacked_mnist import StackedMnist
    >>> metric = StackedMnist()
    >>> metric.update(torch.eye(2)[torch.tensor([[0, 0, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]])])
    >>> metric.compute()["covered"]  # of 2³
    3.0
    """

    takes: ClassVar[Takes] = "channel-logits"
    reference: ClassVar[Reference] = "none"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"covered": True, "kl": False}
    ranges: Mapping[str, tuple[float, float]] = {
        "covered": (0.0, math.inf),
        "kl": (0.0, math.inf),
    }
    levels: ClassVar[Mapping[str, Level]] = {
        "covered": Level(expected_modes, "diversity", least=0.9),
        "kl": Level(expected_divergence, "diversity", least=math.exp(-1)),
    }

    def __init__(self) -> None:
        self.counts = torch.zeros(0, dtype=torch.long)
        self.shape = (0, 0)  # channels, classes

    def update(self, samples: Tensor) -> None:
        if samples.dim() != 3 or (len(self.counts) and samples.shape[1:] != self.shape):
            expected = "(N, C, K)" if not len(self.counts) else f"(N, {self.shape[0]}, {self.shape[1]})"
            raise ValueError(
                f"stacked-mnist: takes the logits of each channel {expected}, not {tuple(samples.shape)}"
            )
        channels, classes = samples.shape[1], samples.shape[2]
        if classes**channels > MOST_MODES:
            raise ValueError(f"stacked-mnist: {classes}^{channels} modes are too many to count")
        logits = checked(samples.flatten(1), "stacked-mnist").view(-1, channels, classes)
        modes = (logits.argmax(dim=2) * classes ** torch.arange(channels)).sum(dim=1)
        counts = modes.bincount(minlength=classes**channels)
        self.counts = counts + self.counts if len(self.counts) else counts
        self.shape = channels, classes
        modes = classes**channels
        self.ranges = {"covered": (0.0, float(modes)), "kl": (0.0, math.log(modes))}

    def compute(self) -> dict[str, float]:
        if not self.counts.any():
            raise ValueError(too_few("stacked-mnist", 0, 1))
        covered = float((self.counts > 0).sum().item())
        return {"covered": covered, "kl": divergence(self.counts, uniform(len(self.counts)))}

    def reset(self) -> None:
        self.counts = torch.zeros(0, dtype=torch.long)

    @property
    def remarks(self) -> tuple[str, ...]:
        total = int(self.counts.sum())
        if total == PROTOCOL:
            return ()
        return (f"{total:,} samples, where published tables have {PROTOCOL:,}: not comparable with them",)
