"""The contract of minibatch statistics: layers that show a critic how alike the samples of a batch are."""

from abc import ABC

from torch import nn


class MinibatchStatistic(nn.Module, ABC):
    """Base of minibatch statistics: append feature maps, `(N, C, H, W)` → `(N, C + added, H, W)`.

    The new maps say how alike the samples of a batch are.

    A plug-in is a subclass whose arguments are the number of features in one sample's maps and, where it
    declares `options_type`, its options.
    """

    added: int
