"""The contract of batch statistics: what a critic sees of the batch that a sample is in."""

from abc import ABC

from torch import nn


class MinibatchStatistic(nn.Module, ABC):
    """Adds feature maps that say how alike the samples of a batch are: `(N, C, H, W)` → `(N, C + added, H,
    W)`.

    A plug-in is a subclass whose arguments are the number of features in one sample's maps and, where it
    declares `options_type`, its options.
    """

    added: int
