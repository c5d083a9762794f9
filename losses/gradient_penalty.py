"""Gradient penalties: a place × a norm × a weight.

Every published one is such a product: WGAN-GP is interpolates × one-centred, R1 is real × zero-centred.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from losses.input_gradient import Critic, input_gradient
from losses.penalties import Points
from losses.schedules import cosine

# The root has an infinite slope at 0, so a critic that is flat somewhere would give NaN. The floor stands
# inside the root and is so small that the norm of any gradient above 1e-6 is unchanged in float32.
SQUARED_NORM_FLOOR = 1e-20

NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "one": lambda squared: (_root(squared) - 1).square(),  # WGAN-GP eq. 3
    "zero": lambda squared: squared / 2,  # Mescheder et al. 2018 eq. 9: γ/2 · ‖∇C‖²
    "one-sided": lambda squared: (_root(squared) - 1).relu().square(),  # WGAN-LP, Petzka et al. 2018 eq. 8
}


def _root(squared: Tensor) -> Tensor:
    return (squared + SQUARED_NORM_FLOOR).sqrt()


def squared_gradient_norm(critic: Critic, points: Tensor) -> Tensor:
    """`‖∇C(x̂)‖²` of every sample, shape `(N,)`, differentiable in the critic's weights."""
    return input_gradient(critic, points).flatten(1).square().sum(dim=1)


class PenaltyTerm(NamedTuple):
    """The weighted penalty to add to the critic's loss, and the mean gradient norm to look at (detached)."""

    value: Tensor
    gradient_norm: Tensor


@dataclass(frozen=True)
class GradientPenalty:
    """`λ · mean over samples of norm(∇C(x̂))`.

    Attributes:
        points: where the gradient is taken.
        norm: a key of NORMS: what is asked of each sample's gradient.
        weight: λ; for the zero-centred norm, Mescheder's γ (the ½ is in the norm).
        every: the penalty is taken at every n-th critic update and weighs n times as much there, so that
            its expected gradient stays the same (lazy regularization, StyleGAN2 section 3.1).
        anneal: share of the weight that is left at the end of the run, approached along a cosine (R3GAN);
            1 keeps it.
    """

    points: Points
    norm: str
    weight: float
    every: int = 1
    anneal: float = 1.0

    def weight_at(self, progress: float) -> float:
        """λ when the share `progress` of the run is over."""
        return self.weight * (self.anneal + (1.0 - self.anneal) * cosine(progress))

    def due(self, turn: int) -> bool:
        """Whether the critic's update number `turn` (from 0) takes this penalty."""
        return turn % self.every == 0

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, progress: float = 0.0) -> PenaltyTerm:
        squared = squared_gradient_norm(critic, self.points.choose(real, fake))
        value = NORMS[self.norm](squared).mean() * (self.weight_at(progress) * self.every)
        return PenaltyTerm(value, squared.detach().sqrt().mean())
