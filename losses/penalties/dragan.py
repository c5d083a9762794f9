"""Penalizes gradients around the real samples, as in DRAGAN's code (Kodali et al. 2017)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from losses.core.batch_parts import draw_like, uniform_each
from losses.core.options import option
from losses.core.points import Points
from losses.core.ranks import whole_batch


@dataclass(frozen=True)
class DraganOptions:
    """Options of DRAGAN's points."""

    spread: float = option(
        0.5, "Size of the noise, in standard deviations of the batch.", above=0.0, is_schedulable=True
    )


class Dragan(Points):
    """DRAGAN's points, with uniform noise: `x̂ = x + α · ½ std(x) · u`.

    There is `u ~ U[0, 1)` for each number and one `α ~ U[0, 1)` for each sample.

    The standard deviation is that of the whole batch. The paper's text has Gaussian noise instead: that is
    `dragan-gaussian`.

    >>> import torch
    >>> from losses.penalties.dragan import Dragan
    >>> real = torch.tensor([[0.0], [2.0]])
    >>> (Dragan().choose(real, real) - real).min() >= 0
    tensor(True)
    """

    takes_fakes: ClassVar[bool] = False
    options_type: ClassVar[type] = DraganOptions

    def __init__(self, options: DraganOptions = DraganOptions()) -> None:
        self.options = options

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        alpha = uniform_each(real)
        deviation = whole_batch(real).std(correction=0)
        noise = draw_like(torch.rand_like, real) * (self.options.spread * deviation)
        return (real + alpha * noise).detach()
