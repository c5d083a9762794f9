"""RMSprop (Hinton 2012), the optimizer of WGAN with weight clipping."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.optim import Optimizer

from gans.core.optimizer import OptimizerRecipe
from losses.core.options import option


@dataclass(frozen=True)
class RmsPropOptions:
    """Options of RMSprop."""

    weight_decay: float = option(0.0, "L2 weight decay.", at_least=0.0, at_most=1.0, is_schedulable=True)


class RmsProp(OptimizerRecipe):
    """Makes `torch.optim.RMSprop`."""

    options_type: ClassVar[type] = RmsPropOptions
    state_copies: ClassVar[int] = 1

    def make(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        return torch.optim.RMSprop(parameters, lr=lr, weight_decay=self.options.weight_decay)
