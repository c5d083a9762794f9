"""Holds each side's logits to the running mean of the other's, with weight STRENGTH (Tseng et al. 2021)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from losses.core.batch_parts import is_first_pass, move_mean
from losses.core.options import option
from losses.core.ranks import mean_over_ranks
from losses.core.regularizer import Term


@dataclass(frozen=True)
class LeCamOptions:
    """Options of LeCam regularization."""

    decay: float = option(0.99, "Decay of the running means, for each update.", at_least=0.0, below=1.0)
    start: int = option(
        1000,
        "Updates of the critic before the running means begin, and the term; default: 1000, and 2 % of the "
        "run under preset laptop.",
        at_least=0,
        laptop_share=0.02,
    )


class Anchors(nn.Module):
    """Running means of the logits of real and generated samples, with the number of updates.

    Attributes:
        before: both as they were before the update that is computed.
    """

    real: Tensor
    fake: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))
        self.updates = 0
        self.before = (self.real, self.fake)

    def begin_update(self) -> None:
        """Counts an update, and keeps what the means are before it: all its passes begin from that."""
        self.updates += 1
        self.before = (self.real.clone(), self.fake.clone())

    def get_extra_state(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]


class LeCam(Term):
    """LeCam regularization (arXiv:2104.03310, equation 3): `λ (E‖C(x) − α_F‖² + E‖C(x̃) − α_R‖²)`.

    The anchors α are running means of the logits of generated and of real samples; logits count only
    where they lie beyond: `λ (E[max(0, C(x) − α_F)²] + E[max(0, α_R − C(x̃))²])`, as in the authors'
    PyTorch code. Anchors are moved by a batch before it is held to them; until `start` updates they are the
    batch's own means, and the term counts from the next one on. (The authors' TensorFlow code corrects the
    bias of means that begin at 0 instead.) Critics that are updated
    together would each need anchors of their own, and are refused.

    >>> from torch import Tensor
    >>> from losses.regularizers.lecam import LeCam, LeCamOptions
    >>> LeCam(0.3, LeCamOptions(start=0)).value(Tensor([2.0]), Tensor([-1.0]))  # the first update
    tensor(0.)
    """

    name: ClassVar[str] = "lecam"
    options_type: ClassVar[type] = LeCamOptions
    is_for_one_critic: ClassVar[bool] = True
    state: Anchors

    def __init__(self, strength: float, options: LeCamOptions = LeCamOptions()) -> None:
        if not strength > 0:
            raise ValueError(f"lecam needs a weight above 0, not {strength:g}")
        super().__init__(strength)
        self.options, self.state = options, Anchors()

    def value(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        anchors = self.state
        if is_first_pass():
            anchors.begin_update()
        iteration = anchors.updates - 1
        decay = self.options.decay if iteration >= max(self.options.start, 1) else 0.0
        anchor_real, anchor_fake = (
            move_anchor(anchor, before, logits, decay)
            for anchor, before, logits in zip(
                (anchors.real, anchors.fake), anchors.before, (real_logits, fake_logits), strict=True
            )
        )
        if iteration <= self.options.start:
            return 0.0 * real_logits.detach().sum()
        return self.strength * lecam_distance(real_logits, fake_logits, anchor_real, anchor_fake)


@torch.no_grad()
def move_anchor(anchor: Tensor, before: Tensor, logits: Tensor, decay: float) -> Tensor:
    """Moves an anchor towards the mean of logits of all processes; returns it as it is with these alone.

    Where an update takes several passes, each knows its own logits only, and what the anchor was before.
    """
    mean = mean_over_ranks(logits.detach().mean()).to(anchor)
    moved = torch.lerp(mean, before, decay)
    move_mean(anchor, mean, 1 - decay)
    return moved


def lecam_distance(
    real_logits: Tensor, fake_logits: Tensor, anchor_real: Tensor, anchor_fake: Tensor
) -> Tensor:
    """Computes `E[max(0, C(x) − α_F)²] + E[max(0, α_R − C(x̃))²]`, a scalar."""
    return (real_logits - anchor_fake).relu().square().mean() + (
        anchor_real - fake_logits
    ).relu().square().mean()
