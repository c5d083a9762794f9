"""The input gradient as a chain of transposed layers against double backward, in float64."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from losses.core.gradient_penalty import GradientPenalty
from losses.core.input_gradient import input_gradient, piecewise_linear_layers
from losses.penalties.interpolates import Interpolates
from losses.penalty_norms.one import OneCentred
from tests.gans.translating import norm_of
from tests.losses.input_gradients import check, critic_of, draw

pytestmark = pytest.mark.usefixtures("one_thread")

CATALOGUE = [
    ("dcgan", (3, 28, 28)),
    ("dcgan", (3, 32, 32)),
    ("dcgan", (1, 16, 24)),
    ("dcgan", (4, 40, 24)),
    ("mlp", (3, 28, 28)),
    ("mlp", (1, 8, 12)),
    ("mlp", (2,)),
]


@pytest.mark.usefixtures("chain_only")
@pytest.mark.parametrize(("arch", "shape"), CATALOGUE, ids=str)
@pytest.mark.parametrize("spectral", ["none", "spectral"])
def test_critics_of_the_catalogue(arch: str, shape: tuple[int, ...], spectral: str) -> None:
    """The blueprint's spectral norm is put on from outside, and changes nothing of the layers here."""
    check(critic_of(arch, shape, critic_norm=norm_of(spectral)).double(), draw(3, *shape))


CONVOLUTIONS: list[dict[str, Any]] = [
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": 1, "bias": False},
    {"kernel_size": 1, "stride": 2},
    {"kernel_size": 2, "stride": 3},
    {"kernel_size": 4, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 4, "padding": 2},
    {"kernel_size": 3, "dilation": 2, "padding": 1},
    {"kernel_size": 3, "dilation": 3, "stride": 2, "padding": 3},
    {"kernel_size": 3, "padding": 1, "groups": 2},
    {"kernel_size": 2, "stride": 2, "groups": 4},
    {"kernel_size": (2, 5), "stride": (3, 1), "padding": (0, 2), "dilation": (2, 1), "groups": 2},
]


@pytest.mark.usefixtures("chain_only")
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("size", [(12, 12), (13, 9), (10, 11)], ids=str)
def test_convolutions(options: dict[str, Any], size: tuple[int, int]) -> None:
    """A stride over a size that it does not divide skips rows at the end: their gradient is 0, not absent."""
    first = nn.Conv2d(4, 8, **options)
    features = first(torch.zeros(1, 4, *size)).numel()
    critic = nn.Sequential(first, nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(features, 1), nn.Flatten(0))
    check(critic.double(), draw(3, 4, *size))


@pytest.mark.usefixtures("chain_only")
def test_skipped_rows_have_no_gradient() -> None:
    """A kernel of 2 with stride 3 over 10 rows reads all but every third, and never the last."""
    critic = nn.Sequential(nn.Conv2d(1, 1, kernel_size=2, stride=3), nn.Flatten(0)).double()
    gradient = input_gradient(critic, draw(1, 1, 10, 10))[0, 0]
    read = torch.tensor([i % 3 != 2 and i < 9 for i in range(10)])
    assert torch.equal(gradient != 0, read[:, None] & read)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "ReLU": nn.ReLU,
    "ReLU in place": partial(nn.ReLU, inplace=True),
    "LeakyReLU": partial(nn.LeakyReLU, 0.2),
    "LeakyReLU in place": partial(nn.LeakyReLU, 0.2, inplace=True),
    "LeakyReLU steep": partial(nn.LeakyReLU, 1.7, inplace=True),
}


@pytest.mark.usefixtures("chain_only")
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str) -> None:
    """Among feature maps and among units, after a layer and after another activation; at the kink, where
    every unit of a sample is 0, the slope is the one that automatic differentiation takes."""
    make = ACTIVATIONS[activation]
    critic = nn.Sequential(
        *(nn.Conv2d(3, 6, 3, padding=1), make(), nn.Conv2d(6, 5, 4, stride=2, padding=1), make()),
        *(nn.Flatten(), nn.Linear(5 * 4 * 4, 7), make(), nn.LeakyReLU(0.3), nn.Linear(7, 1), nn.Flatten(0)),
    ).double()
    x = draw(6, 3, 8, 8)
    check(critic, x)
    nn.init.zeros_(critic[0].bias)
    x[0] = 0
    check(critic, x)


@pytest.mark.usefixtures("chain_only")
@pytest.mark.parametrize("shared", [nn.Linear(5, 5), nn.LeakyReLU(0.2)], ids=["linear", "activation"])
def test_a_layer_that_stands_twice(shared: nn.Module) -> None:
    layers = [nn.Linear(3, 5), shared, nn.ReLU(), shared, nn.Linear(5, 1), nn.Flatten(0)]
    check(nn.Sequential(*layers).double(), draw(4, 3))


@pytest.mark.usefixtures("chain_only")
def test_a_logit_for_every_patch() -> None:
    layers = [nn.Conv2d(3, 4, 4, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 1, 3, 1, 1), nn.Flatten(0)]
    check(nn.Sequential(*layers).double(), draw(3, 3, 12, 8))


@pytest.mark.usefixtures("chain_only")
@pytest.mark.parametrize("arch", ["dcgan", "mlp"])
@pytest.mark.parametrize("both", [True, False])
def test_channels_last(arch: str, both: bool) -> None:
    """Critic and points in that memory, and the critic alone."""
    critic = critic_of(arch, (3, 16, 24)).double().to(memory_format=torch.channels_last)
    points = draw(4, 3, 16, 24)
    check(critic, points.to(memory_format=torch.channels_last) if both else points)


@pytest.mark.usefixtures("chain_only")
@pytest.mark.parametrize("arch", ["dcgan", "mlp"])
def test_penalties_take_the_chain(arch: str) -> None:
    """And through it no layer is run with a graph, which is what it saves."""
    critic = critic_of(arch).double()
    assert piecewise_linear_layers(critic) == list(critic)
    graphs: list[bool] = []
    for layer in critic:
        forward = layer.forward
        layer.forward = lambda x, forward=forward: (  # type: ignore
            graphs.append(torch.is_grad_enabled()),
            forward(x),
        )[1]
    GradientPenalty(Interpolates(), OneCentred(), 10.0)(
        critic, draw(3, 3, 8, 8), draw(3, 3, 8, 8)
    ).value.backward()
    assert graphs == [False] * len(critic)
