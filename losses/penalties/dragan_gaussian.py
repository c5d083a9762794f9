"""Penalizes gradients around the real samples, with Gaussian noise (DRAGAN's text, Kodali et al. 2017)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from losses.core.batch_parts import draw_like
from losses.core.options import option
from losses.core.points import Points
from losses.core.ranks import whole_batch


@dataclass(frozen=True)
class GaussianOptions:
    """Options of DRAGAN's Gaussian points."""

    spread: float = option(
        0.5,
        "Standard deviation of the noise, in standard deviations of the batch.",
        above=0.0,
        is_schedulable=True,
    )


class DraganGaussian(Points):
    """DRAGAN's points, with Gaussian noise: `x̂ = x + δ`, `δ ~ N(0, (½ std(x))²)` (algorithm 1).

    The paper's standard deviation is a constant; it is measured in the batch's own here, as in the authors'
    code, so that it means the same for images and for points.

    >>> import torch
    >>> from losses.penalties.dragan_gaussian import DraganGaussian
    >>> real = torch.ones(3, 2)  # without any spread
    >>> torch.equal(DraganGaussian().choose(real, real), real)
    True
    """

    takes_fakes: ClassVar[bool] = False
    options_type: ClassVar[type] = GaussianOptions

    def __init__(self, options: GaussianOptions = GaussianOptions()) -> None:
        self.options = options

    def choose(self, real: Tensor, fake: Tensor) -> Tensor:
        deviation = whole_batch(real).std(correction=0)
        noise = draw_like(torch.randn_like, real) * (self.options.spread * deviation)
        return (real + noise).detach()
