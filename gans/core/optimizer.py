"""The contract of optimizers: a recipe that makes torch's optimizer for a player."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from losses.core.options import NoOptions

FUSED_ON = ("cpu", "cuda")
FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def can_fuse(weights: Iterable[Tensor]) -> bool:
    """Whether PyTorch's optimizers can update these weights in one kernel, several times as fast.

    It goes through memory, which weights must fill without gaps.
    """
    return all(
        weight.device.type in FUSED_ON
        and weight.is_floating_point()
        and weight.stride() == torch.empty_like(weight).stride()
        for weight in weights
    )


class OptimizerRecipe(ABC):
    """Makes the torch optimizer of a player, from options and a learning rate.

    Attributes:
        options_type: dataclass of its options.
        has_betas: whether its parameter groups have `betas`, which lazy regularization and schedules change.
        state_copies: numbers that it keeps for every weight, to estimate memory.
    """

    options_type: ClassVar[type] = NoOptions
    has_betas: ClassVar[bool] = False
    state_copies: ClassVar[int] = 0

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def make(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Makes the optimizer of these parameters at learning rate `lr`."""
