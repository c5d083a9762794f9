"""Stochastic gradient descent without momentum."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.optim import Optimizer

from gans.core.optimizer import OptimizerRecipe, can_fuse
from losses.core.options import option


@dataclass(frozen=True)
class StochasticGradientDescentOptions:
    """Options of SGD."""

    weight_decay: float = option(0.0, "L2 weight decay.", at_least=0.0, at_most=1.0, is_schedulable=True)


class StochasticGradientDescent(OptimizerRecipe):
    """Makes `torch.optim.SGD`, without momentum."""

    options_type: ClassVar[type] = StochasticGradientDescentOptions

    def make(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        weights = list(parameters)
        return torch.optim.SGD(
            weights, lr=lr, weight_decay=self.options.weight_decay, fused=can_fuse(weights)
        )
