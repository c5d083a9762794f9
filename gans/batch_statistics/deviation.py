"""The minibatch standard deviation (ProGAN, Karras et al. 2018, section 3)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gans.layers.batch_statistics import MinibatchStatistic
from losses.core.options import option


@dataclass(frozen=True)
class DeviationOptions:
    """Options of the minibatch standard deviation."""

    group_size: int = option(
        4, "Samples in a group, over which the deviation is taken.", at_least=1, shapes_network=True
    )


class MinibatchDeviation(MinibatchStatistic):
    """Appends the minibatch standard deviation to feature maps, as one more map.

    It is the mean over all features of their standard deviation over a group of samples. Groups are made of
    the largest number of samples, up to the group size, that divides the batch.
    """

    options_type: ClassVar[type] = DeviationOptions
    added = 1

    def __init__(self, features: int, options: DeviationOptions = DeviationOptions()) -> None:
        super().__init__()
        self.group = options.group_size

    def check_parts(self, batch_size: int, process_size: int, pass_size: int) -> None:
        group = self._group_of(batch_size)
        if pass_size % group:  # rows that go round keep groups whole, if a part has whole ones
            raise ValueError(
                f"{pass_size} samples at once are not whole groups of the minibatch standard deviation; take "
                f"a multiple of {group}"
            )

    def _group_of(self, count: int) -> int:
        """Samples in a group, of a batch of `count`."""
        return max(size for size in range(1, min(self.group, count) + 1) if count % size == 0)

    def forward(self, x: Tensor) -> Tensor:
        """Appends a map: `(N, C, H, W)` → `(N, C + 1, H, W)`."""
        count, _, height, width = x.shape
        group = self._group_of(count)
        # Sample i is in the group of i modulo N / group, as in the authors' code.
        grouped = x.view(group, count // group, *x.shape[1:])
        variance = (grouped - grouped.mean(dim=0)).square().mean(dim=0)
        deviation = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))
        return torch.cat([x, deviation.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, height, width)], dim=1)
