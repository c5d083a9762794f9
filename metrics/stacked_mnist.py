"""Stacked MNIST: 1,000 modes from three digits, one in each channel (Metz et al. 2017, section 3.3.1)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from metrics import Metric
from metrics.core.batches import checked, too_few
from metrics.core.histograms import divergence, uniform

PROTOCOL = 26_000  # samples in VEEGAN's and PacGAN's tables


class StackedMnist(Metric):
    """Counts the triples of classes that a classifier of grey images sees in the channels.

    Works for any grey set of evenly frequent classes, 10 of them by default.

    Args:
        classes: K, of one channel.
        channels: C; there are Kᶜ modes.

    Takes the logits of the channels side by side, `(N, C · K)`, or as `(N, C, K)`.

    Scores: `covered` in 0…Kᶜ, the modes with any sample; `kl` of the samples' modes from the uniform truth in
    [0, C log K] nats.
    """

    takes: ClassVar[Literal["samples", "vectors", "logits"]] = "logits"
    reference: ClassVar[Literal["none", "statistics", "vectors"]] = "none"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"covered": True, "kl": False}
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "covered": (0.0, float("inf")),
        "kl": (0.0, float("inf")),
    }

    def __init__(self, classes: int = 10, channels: int = 3) -> None:
        self.classes = classes
        self.channels = channels
        self.reset()

    def update(self, samples: Tensor) -> None:
        if samples.dim() == 3 and samples.shape[1:] != (self.channels, self.classes):
            raise ValueError(
                f"stacked-mnist: logits {tuple(samples.shape)}, not (N, {self.channels}, {self.classes})"
            )
        rows = samples.flatten(1) if samples.dim() == 3 else samples
        logits = checked(rows, "stacked-mnist", self.channels * self.classes)
        digits = logits.reshape(len(logits), self.channels, self.classes).argmax(dim=2)
        places = self.classes ** torch.arange(self.channels)
        self.counts += (digits * places).sum(dim=1).bincount(minlength=len(self.counts))

    def compute(self) -> dict[str, float]:
        if not self.counts.any():
            raise ValueError(too_few("stacked-mnist", 0, 1))
        covered = float((self.counts > 0).sum().item())
        return {"covered": covered, "kl": divergence(self.counts, uniform(len(self.counts)))}

    def reset(self) -> None:
        self.counts = torch.zeros(self.classes**self.channels, dtype=torch.long)

    @property
    def remarks(self) -> tuple[str, ...]:
        total = int(self.counts.sum())
        if total == PROTOCOL:
            return ()
        return (f"{total:,} samples, where published tables have {PROTOCOL:,}: not comparable with them",)
