"""Clips the critic's weights to [−STRENGTH, STRENGTH] after every update (WGAN, Arjovsky et al. 2017)."""

import torch
from torch import nn

from losses.core.regularizer import Constraint


class WeightClip(Constraint):
    """Clips the critic's weights after every update: `w ← clip(w, −c, c)` (algorithm 1, line 7).

    So the generator never meets unclipped weights.
    """

    def __init__(self, strength: float) -> None:
        if not strength > 0:
            raise ValueError(f"weight-clip needs a bound above 0, not {strength:g}")
        super().__init__(strength)

    @torch.no_grad()
    def enforce(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            if parameter.requires_grad:
                parameter.clamp_(-self.strength, self.strength)
