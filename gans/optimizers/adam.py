"""Adam (Kingma & Ba 2015); with weight decay, AdamW (Loshchilov & Hutter 2019)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.optim import Optimizer

from gans.core.optimizer import OptimizerRecipe, can_fuse
from losses.core.options import option


@dataclass(frozen=True)
class AdamOptions:
    """Options of Adam."""

    betas: tuple[float, float] = option(
        (0.9, 0.999), "Decay rates of the two moments.", at_least=0.0, below=1.0
    )
    weight_decay: float = option(
        0.0, "Decoupled weight decay.", at_least=0.0, at_most=1.0, is_schedulable=True
    )


class Adam(OptimizerRecipe):
    """Makes `torch.optim.Adam`, or `torch.optim.AdamW` with weight decay."""

    options_type: ClassVar[type] = AdamOptions
    has_betas: ClassVar[bool] = True
    state_copies: ClassVar[int] = 2

    def make(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        # Without decay the two are one algorithm.
        kind = torch.optim.AdamW if self.options.weight_decay else torch.optim.Adam
        weights = list(parameters)
        return kind(
            weights,
            lr=lr,
            betas=self.options.betas,
            weight_decay=self.options.weight_decay,
            fused=can_fuse(weights),
        )
