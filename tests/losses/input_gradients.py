"""What the tests of the input gradient share: critics, and the comparison with double backward in float64."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from experiments.core import registry
from gans.core.architecture import Blueprint
from losses.core.input_gradient import input_gradient
from losses.penalty_norms.one import OneCentred

Gradient = Callable[[Any, Tensor], Tensor]
BLUEPRINT = Blueprint((3, 8, 8), z_dim=4, width=4)


def critic_of(arch: str, shape: tuple[int, ...] = BLUEPRINT.sample_shape, **options: Any) -> nn.Module:
    """An architecture's critic, with biases and weights large enough for every unit to switch."""
    network = registry.load("architecture", arch).critic(Blueprint(shape, z_dim=4, width=4, **options))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network


def double_backward(critic: Any, points: Tensor) -> Tensor:
    """What it is compared with: automatic differentiation with a graph of the backward pass."""
    points = points.clone().requires_grad_(True)
    return torch.autograd.grad(critic(points).sum(), points, create_graph=True)[0]


class Found(NamedTuple):
    gradient: Tensor
    weight_gradients: dict[str, Tensor]


def penalize(way: Gradient, critic: nn.Module, points: Tensor) -> Found:
    """The input gradient, and each weight's gradient of a one-centred penalty on it; on a copy, because
    power iterations and statistics move."""
    critic = copy.deepcopy(critic)
    torch.manual_seed(1)  # the same features are dropped
    gradient = way(critic, points)
    OneCentred()(gradient.flatten(1).square().sum(1)).mean().backward()
    # A bias moves no slope: the chain never meets it, double backward may give it zeros.
    grads = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in critic.named_parameters()}
    return Found(gradient.detach(), grads)


def check(critic: nn.Module, points: Tensor) -> None:
    """Equal to rounding, nowhere trivially zero, and nothing is left behind in the points."""
    before = points.clone()
    actual, expected = (
        penalize(input_gradient, critic, points),
        penalize(double_backward, critic, points),
    )
    assert torch.equal(points, before)
    close(actual.gradient, expected.gradient)
    assert expected.gradient.abs().max() > 0
    for name, wanted in expected.weight_gradients.items():
        close(actual.weight_gradients[name], wanted)
        assert wanted.any() or not name.endswith("weight"), name


def close(actual: Tensor, expected: Tensor) -> None:
    """To 1e-12 of the largest number."""
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= 1e-12 * expected.abs().max()


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)
