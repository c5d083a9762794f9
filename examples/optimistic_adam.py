"""Optimistic Adam, made for two-player games (Daskalakis et al. 2018, arXiv:1711.00141, algorithm 1).

A new optimizer is one file, with options of its own:

    gans run --plugin examples/optimistic_adam.py --arch mlp --optimizer optimistic-adam
    gans run --plugin examples/optimistic_adam.py --optimizer optimistic-adam --set optimizer.optimism=0.5
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim import Optimizer

from gans.core.optimizer import OptimizerRecipe
from losses.core.options import option


@dataclass(frozen=True)
class OptimisticAdamOptions:
    """Options of optimistic Adam."""

    betas: tuple[float, float] = option(
        (0.5, 0.9), "Decay rates of the two moments.", at_least=0.0, below=1.0
    )
    optimism: float = option(
        1.0,
        "Share of the last step that is expected to come again; 0 is Adam.",
        at_least=0.0,
        at_most=1.0,
        is_schedulable=True,
    )


class OptimisticAdam(OptimizerRecipe):
    """`w ← w − (1 + o) η m̂ₜ / (√v̂ₜ + ε) + o η m̂ₜ₋₁ / (√v̂ₜ₋₁ + ε)`, o the optimism.

    Gradient descent circles the equilibrium of a bilinear game and leaves it; with o = 1 the last iterate
    comes nearer (theorem 1).
    """

    options_type: ClassVar[type] = OptimisticAdamOptions
    has_betas: ClassVar[bool] = True
    state_copies: ClassVar[int] = 3

    def make(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        return _Steps(parameters, {"lr": lr, "betas": self.options.betas, "optimism": self.options.optimism})


class _Steps(Optimizer):
    """The algorithm as torch's optimizer."""

    def __init__(self, parameters: Iterable[nn.Parameter], defaults: dict[str, Any]) -> None:
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Moves every parameter by its optimistic step."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)

    def _move(self, weight: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["count"] = torch.zeros(())
            state |= {name: torch.zeros_like(weight) for name in ("first", "second", "last")}
        state["count"] += 1
        for name, beta, value in (
            ("first", group["betas"][0], weight.grad),
            ("second", group["betas"][1], weight.grad.square()),
        ):
            state[name].lerp_(value, 1 - beta)
        first, second = (
            state[name] / (1 - beta ** state["count"])
            for name, beta in zip(("first", "second"), group["betas"], strict=True)
        )
        step = first / (second.sqrt() + 1e-8)
        weight.sub_(group["lr"] * (step + group["optimism"] * (step - state["last"])))
        state["last"].copy_(step)
