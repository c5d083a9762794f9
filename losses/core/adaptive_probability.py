"""A probability that follows overfitting, which signs of the critic's logits show (Karras et al. 2020)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from losses.core.options import option
from losses.core.ranks import sum_over_ranks


@dataclass(frozen=True)
class AdaptiveOptions:
    """Options of a probability that is steered by the signs of the critic's logits."""

    target: float = option(
        0.6, "Mean sign of the critic's logits of real images that is aimed at.", above=-1.0, below=1.0
    )
    interval: int = option(4, "Batches from one adjustment to the next.", at_least=1)
    kimg: float = option(
        500.0,
        "Real images shown, in thousands, in which the probability can rise from 0 to 1; default: 500, 100 "
        "with --init-from, and a fifth of the run, 500 batches at least, under preset laptop.",
        above=0.0,
        laptop_share=0.2,
        laptop_batches=500,
        fine_tuning=100.0,
    )


class AdaptiveProbability(nn.Module):
    """A probability p that rises while the critic is surer of real images than a target.

    `r_t = E[sign(C(x))]` is the mean over all logits of real images since the last adjustment, of all
    processes; a logit of 0 counts as 0, and without any logits the last mean is used again. Every `interval`
    batches p moves by `sign(r_t − target)` times the share of `kimg` that was shown since (section 3). It is
    a float32 number that is bounded by 0 below, and not at all above, as in the authors' code: beyond 1
    everything is changed, and p must first come down again. Before the first logits p stays, where that code
    makes it no number.

    >>> from torch import Tensor
    >>> from losses.core.adaptive_probability import AdaptiveOptions, AdaptiveProbability
    >>> p = AdaptiveProbability(AdaptiveOptions(interval=1, kimg=0.1))
    >>> p.observe(Tensor([2.0, 3.0]))  # their mean sign
    tensor(1.)
    >>> p.begin(batch_index=1, seen=2)
    >>> round(p.value, 6)
    0.02
    """

    signs: Tensor  # sum of the signs since the last adjustment, and their number

    def __init__(self, options: AdaptiveOptions) -> None:
        super().__init__()
        self.options = options
        self.value = 0.0
        self.sign: float | None = None  # mean over the last interval that had logits
        self.batch_index, self.seen = 0, 0  # of the last adjustment
        self.register_buffer("signs", torch.zeros(2))

    @torch.no_grad()
    def observe(self, logits: Tensor, threshold: float = 0.0) -> Tensor:
        """Counts the signs of logits of real images, from a threshold; returns their mean."""
        signs = (logits.detach() - threshold).sign()
        total = signs.sum()
        # Summed over processes at once, so that the checkpoint of one of them knows all.
        self.signs += sum_over_ranks(torch.stack([total, torch.full_like(total, signs.numel())]))
        return signs.mean()

    def begin(self, batch_index: int, seen: int) -> None:
        """Adjusts p if that is due; called before anything else happens with a batch.

        Args:
            batch_index: batches of real images before it.
            seen: real images shown before it.
        """
        if batch_index - self.batch_index < self.options.interval:
            return
        if self.signs.device.type == "meta":  # without values
            return
        total, count = self.signs.tolist()
        if count:
            self.sign = total / count
        if self.sign is not None:
            self.value = adjust_probability(
                self.value, self.sign, self.options.target, (seen - self.seen) / (self.options.kimg * 1000)
            )
        self.signs.zero_()
        self.batch_index, self.seen = batch_index, seen

    def get_extra_state(self) -> dict[str, Any]:
        """Returns p, the last mean sign, and when p was adjusted last."""
        return {name: getattr(self, name) for name in ("value", "sign", "batch_index", "seen")}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.value, self.sign = state["value"], state["sign"]
        self.batch_index, self.seen = state["batch_index"], state["seen"]


def adjust_probability(value: float, sign: float, target: float, step: float) -> float:
    """Moves a probability by `step` up where the mean sign is above its target, down where it is below.

    The numbers are float32, as in the authors' code; the result is 0 or more.
    """
    direction = (sign > target) - (sign < target)
    moved = torch.tensor(value, dtype=torch.float32) + direction * step
    return float(moved.clamp_min(0.0))
