"""Keeps the critic's logits of real samples from drifting away from 0 (Karras et al. 2018, appendix A.1)."""

from typing import ClassVar

from torch import Tensor

from losses.core.regularizer import Term


class Drift(Term):
    """Adds `ε E[C(x)²]` to the critic's loss: a Wasserstein critic is only defined up to a constant."""

    name: ClassVar[str] = "drift"

    def __init__(self, strength: float) -> None:
        if not strength > 0:
            raise ValueError(f"drift needs a weight above 0, not {strength:g}")
        super().__init__(strength)

    def value(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.strength * real_logits.square().mean()
