"""Mean absolute error between images and their targets, on [−1, 1]."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from metrics.core.pairs import PairMetric


class L1(PairMetric):
    """Mean absolute error, which pix2pix and CycleGAN train on as reconstruction and cycle losses.

    Scores: `l1`, 0 for equal images and at most 2 for images in [−1, 1].

    >>> from metrics.l1 import L1
    >>> import torch
    >>> metric = L1()
    >>> metric.update(torch.stack([torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)], dim=1))
    >>> metric.compute()
    {'l1': 0.5}
    """

    name: ClassVar[str] = "l1"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"l1": False}
    ranges: Mapping[str, tuple[float, float]] = {"l1": (0.0, 2.0)}

    def of_each(self, made: Tensor, targets: Tensor) -> Tensor:
        return (made.double() - targets.double()).abs().flatten(1).mean(dim=1)
