"""Gradient penalties: points × norm × weight.

Every published one is such a product: WGAN-GP is interpolates × one-centred, R1 is real × zero-centred.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from losses.core.input_gradient import Critic, input_gradient
from losses.core.penalty_norm import PenaltyNorm
from losses.core.points import Points
from losses.core.precision import full_precision
from losses.core.schedule import Scheduled, cosine, value_at


def squared_gradient_norm(critic: Critic, points: Tensor) -> Tensor:
    """Computes `‖∇C(x̂)‖²` of every sample, shape `(N,)`, differentiable in the critic's weights."""
    return input_gradient(critic, points).flatten(1).square().sum(dim=1)


class PenaltyTerm(NamedTuple):
    """The weighted penalty to add to the critic's loss, and the mean gradient norm to log (detached)."""

    value: Tensor
    gradient_norm: Tensor


@dataclass(frozen=True)
class GradientPenalty:
    """A gradient penalty `λ · mean over samples of norm(∇C(x̂))`.

    Attributes:
        points: choice of the points x̂ where the gradient is taken.
        norm: penalty on the norm of each sample's gradient.
        weight: λ, which may move over the run; for the zero-centred norm, Mescheder's γ (the ½ is in the
            norm).
        every: the penalty is taken at every n-th critic update and weighs n times as much there, so that
            its expected gradient stays the same (lazy regularization, StyleGAN2 section 3.1).
        anneal: share of the weight that is left at the end of the run, approached along a cosine (R3GAN);
            1 keeps it.

    >>> from torch import Tensor
    >>> from losses.core.gradient_penalty import GradientPenalty
    >>> from losses.penalties.real import Real
    >>> from losses.penalty_norms.zero import ZeroCentred
    >>> x = Tensor([[3.0, 4.0]])
    >>> GradientPenalty(Real(), ZeroCentred(), weight=2.0)(lambda s: s.square().sum(1) / 2, x, x).value.item()
    25.0
    """

    points: Points
    norm: PenaltyNorm
    weight: Scheduled
    every: int = 1
    anneal: float = 1.0

    def weight_at(self, progress: float) -> float:
        """The weight λ when the share `progress` of the run is over."""
        return value_at(self.weight, progress) * (self.anneal + (1.0 - self.anneal) * cosine(progress))

    def due(self, batch_index: int) -> bool:
        """Whether the critic's update number `batch_index` (from 0) takes this penalty."""
        return batch_index % self.every == 0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, progress: float = 0.0) -> PenaltyTerm:
        """The penalty for two batches `(N, …)` when the share `progress` of the run is over."""
        with full_precision(real.device):
            squared = squared_gradient_norm(critic, self.points.choose(real, fake))
            value = self.norm(squared).mean() * (self.weight_at(progress) * self.every)
            return PenaltyTerm(value, squared.detach().sqrt().mean())
