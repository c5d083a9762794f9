"""The contract of minibatch statistics: layers that show a critic how alike the samples of a batch are."""

from abc import ABC
from typing import Any

from torch import nn

from losses.core.precision import in_full_precision


class MinibatchStatistic(nn.Module, ABC):
    """Base of minibatch statistics: append feature maps, `(N, C, H, W)` → `(N, C + added, H, W)`.

    The new maps say how alike the samples of a batch are.

    A plug-in is a subclass whose arguments are the number of features in one sample's maps and, where it
    declares `options_type`, its options.
    """

    added: int

    @in_full_precision
    def __call__(self, *inputs: Any) -> Any:
        return super().__call__(*inputs)

    def check_parts(self, batch_size: int, process_size: int, pass_size: int) -> None:
        """Checks that the statistic is that of the whole batch although it is shared out; else ValueError.

        Args:
            batch_size: samples in a batch.
            process_size: samples of it that one process has.
            pass_size: samples that are computed at once.
        """
