"""The input gradient as a chain of transposed layers against double backward, in float64."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from experiments.config.factory import build_game, build_networks
from experiments.config.resolve import resolve
from experiments.core import registry
from gans.core.architecture import Blueprint
from gans.core.clock import Clock
from gans.core.networks import Batch
from losses.core import input_gradient as module
from losses.core.gradient_penalty import NORMS, GradientPenalty
from losses.core.input_gradient import input_gradient, piecewise_linear_layers
from losses.penalties.interpolates import Interpolates
from losses.penalties.real import Real

Gradient = Callable[[Any, Tensor], Tensor]
BLUEPRINT = Blueprint((3, 8, 8), z_dim=4, width=4)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are slower with more threads."""
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _forbid(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    def refuse(*arguments: object) -> Tensor:
        raise AssertionError(f"{way} was taken")

    monkeypatch.setattr(module, way, refuse)


@pytest.fixture
def chain_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No silent fallback."""
    _forbid(monkeypatch, "through_autograd")


@pytest.fixture
def fallback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    _forbid(monkeypatch, "through_chain")


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


def penalty_loss(way: Gradient, critic: nn.Module, points: Tensor) -> Found:
    """The input gradient, and each weight's gradient of a one-centred penalty on it; on a copy, because
    power iterations and statistics move."""
    critic = copy.deepcopy(critic)
    torch.manual_seed(1)  # the same features are dropped
    gradient = way(critic, points)
    NORMS["one"](gradient.flatten(1).square().sum(1)).mean().backward()
    # A bias moves no slope: the chain never meets it, double backward may give it zeros.
    grads = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in critic.named_parameters()}
    return Found(gradient.detach(), grads)


def check(critic: nn.Module, points: Tensor) -> None:
    """Equal to rounding, nowhere trivially zero, and nothing is left behind in the points."""
    before = points.clone()
    actual, expected = (
        penalty_loss(input_gradient, critic, points),
        penalty_loss(double_backward, critic, points),
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
    check(critic_of(arch, shape, critic_norm=spectral).double(), draw(3, *shape))


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


class Doubled(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Wrapped(nn.Module):
    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        return self.critic(x).square()


class Squared(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).square()


def chain(*layers: nn.Module) -> nn.Sequential:
    """The layers, between a convolution and a linear layer."""
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1), *layers, nn.Flatten(), nn.Linear(4 * 8 * 8, 1), nn.Flatten(0))
    )


def hooked(where: Callable[[nn.Sequential], nn.Module], before: bool) -> nn.Module:
    critic = chain(nn.LeakyReLU(0.2))
    if before:
        where(critic).register_forward_pre_hook(lambda layer, inputs: (inputs[0].sin(),))
    else:
        where(critic).register_forward_hook(lambda layer, inputs, output: output.sin())
    return critic


def spectral(arch: str) -> nn.Module:
    critic = critic_of(arch)
    for layer in critic.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(layer)
    return critic


def one_weight_normed() -> nn.Module:
    critic = chain(nn.ReLU())
    parametrizations.weight_norm(critic[0])
    return critic


NO_CHAINS: dict[str, Callable[[], nn.Module]] = {
    "softplus": lambda: chain(nn.Softplus()),
    "max pooling": lambda: chain(nn.MaxPool2d(3, 1, 1)),
    "dropout": lambda: critic_of("dcgan", critic_dropout=0.3),
    "dropout of units": lambda: critic_of("mlp", critic_dropout=0.3),
    "batch norm": lambda: critic_of("dcgan", (3, 16, 16), critic_norm="batch"),
    "layer norm": lambda: critic_of("dcgan", (3, 16, 16), critic_norm="layer"),
    "instance norm": lambda: critic_of("dcgan", (3, 16, 16), critic_norm="instance"),
    "layer norm of units": lambda: critic_of("mlp", critic_norm="layer"),
    "spectral norm": lambda: spectral("dcgan"),
    "spectral norm of units": lambda: spectral("mlp"),
    "weight norm of one layer": one_weight_normed,
    "hook after the critic": lambda: hooked(lambda critic: critic, before=False),
    "hook before the critic": lambda: hooked(lambda critic: critic, before=True),
    "hook after a layer": lambda: hooked(lambda critic: critic[0], before=False),
    "hook before a layer": lambda: hooked(lambda critic: critic[1], before=True),
    "subclass of a layer": lambda: nn.Sequential(nn.Flatten(), nn.ReLU(), Doubled(192, 1), nn.Flatten(0)),
    "another module around it": lambda: Wrapped(chain(nn.ReLU())),
    "chain in a chain": lambda: nn.Sequential(chain(nn.ReLU()), nn.Unflatten(0, (-1, 1)), nn.Linear(1, 1)),
    "circular padding": lambda: nn.Sequential(
        nn.Conv2d(3, 1, 3, padding=1, padding_mode="circular"), nn.ReLU(), nn.Flatten(0)
    ),
    "padding by a word": lambda: nn.Sequential(nn.Conv2d(3, 1, 3, padding="same"), nn.ReLU(), nn.Flatten(0)),
    "slope downwards": lambda: chain(nn.LeakyReLU(-0.2)),
    "slope 0": lambda: chain(nn.LeakyReLU(0.0)),
    "resnet": lambda: critic_of("resnet"),
    "resnet with a norm": lambda: critic_of("resnet", critic_norm="layer"),
}


@pytest.mark.usefixtures("fallback_only")
@pytest.mark.parametrize("name", NO_CHAINS)
def test_other_critics_fall_back(name: str) -> None:
    """Each has something that a chain of transposed layers would leave out."""
    critic = NO_CHAINS[name]().double()
    check(
        critic, draw(4, 3, *((16, 16) if name in ("batch norm", "layer norm", "instance norm") else (8, 8)))
    )


@pytest.mark.usefixtures("fallback_only")
def test_a_chain_that_computes_more_falls_back() -> None:
    """Its layers are a chain's, its `forward` is not."""
    check(Squared(*chain(nn.ReLU())).double(), draw(4, 3, 8, 8))


@pytest.mark.usefixtures("fallback_only")
def test_a_function_falls_back() -> None:
    x = draw(4, 3)
    close(input_gradient(lambda s: s.square().sum(1), x), 2 * x)


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
    GradientPenalty(Interpolates(), "one", 10.0)(critic, draw(3, 3, 8, 8), draw(3, 3, 8, 8)).value.backward()
    assert graphs == [False] * len(critic)


class BatchLoader:
    """Batches that are a function of their number, in float64."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.turn = shape, 0

    @property
    def clock(self) -> Clock:
        return Clock(self.turn * 4, self.turn, self.turn / 100)

    def next_batch(self) -> Batch:
        self.turn += 1
        generator = torch.Generator().manual_seed(self.turn)
        return Batch(torch.rand(4, *self.shape, generator=generator, dtype=torch.float64) * 2 - 1)


def _play(arch: str) -> dict[str, Tensor]:
    """Weights and scores after two rounds of wgan-gp as `gans run` plays them, in float64."""
    flags = {"arch": arch, "loss": "wgan-gp", "data": "shapes", "image_size": (16, 16), "width": 4, "seed": 0}
    settings = resolve(flags).settings
    torch.manual_seed(0)
    generator, critic = (network.double() for network in build_networks(settings))
    game, loader = build_game(settings, generator, critic), BatchLoader((3, 16, 16))
    for _ in range(2):
        scores = game.round(loader)
    return {**{n: p.detach() for n, p in game.named_parameters()}, **scores}


@pytest.mark.parametrize("arch", ["dcgan", "mlp"])
def test_rounds_of_wgan_gp_are_the_same_game(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve steps of Adam with the chain, and as many without it."""
    ways: list[str] = []
    for way in ("through_chain", "through_autograd"):
        take = getattr(module, way)
        monkeypatch.setattr(
            module, way, lambda *given, way=way, take=take: (ways.append(way), take(*given))[1]
        )
    with_chain = _play(arch)
    monkeypatch.setattr(module, "piecewise_linear_layers", lambda critic: None)
    without = _play(arch)
    assert ways == ["through_chain"] * 10 + ["through_autograd"] * 10
    for name, value in without.items():
        difference = (with_chain[name] - value).abs().max().item()
        assert difference <= 5e-13 * max(1.0, value.abs().max().item()), name


class Patches(nn.Module):
    """A critic of patches that is no chain."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 1, 2, stride=2))

    def forward(self, x: Tensor) -> Tensor:
        return self.chain(x).squeeze(1)


def chain_of_patches() -> nn.Module:
    layers = nn.Conv2d(2, 3, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(3, 1, 2, stride=2), nn.Flatten(1, 2)
    return nn.Sequential(*layers)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("make", [Patches, chain_of_patches], ids=["module", "chain"])
def test_critics_of_patches_are_held_at_the_mean_of_their_logits(
    make: Callable[[], nn.Module], norm: str, request: pytest.FixtureRequest
) -> None:
    """Sample by sample and patch by patch, both ways: value, gradients at the input and at every weight. The
    sum over patches, or one sample's norm over the batch, would be another number [2]."""
    request.getfixturevalue("chain_only" if make is chain_of_patches else "fallback_only")
    critic = make().double()
    for parameter in critic.parameters():
        nn.init.normal_(parameter)
    points = torch.randn(3, 2, 4, 6, dtype=torch.float64)
    assert critic(points).shape == (3, 2, 3)
    penalty = GradientPenalty(Real(), norm, 10.0)(critic, points, points)
    slopes = []
    for point in points:
        x = point[None].clone().requires_grad_()
        patches = [
            torch.autograd.grad(critic(x)[0, row, column], x, create_graph=True)[0]
            for row in range(2)
            for column in range(3)
        ]
        slopes.append(torch.stack(patches).sum(dim=0)[0] / 6)
    squared = torch.stack([slope.square().sum() for slope in slopes])
    expected = 10 * NORMS[norm](squared).mean()
    torch.testing.assert_close(input_gradient(critic, points), torch.stack(slopes))
    torch.testing.assert_close(penalty.value, expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(penalty.gradient_norm, squared.sqrt().mean(), rtol=1e-10, atol=0)
    weights = [parameter for parameter in critic.parameters() if parameter.dim() > 1]
    found, true = (torch.autograd.grad(value, weights) for value in (penalty.value, expected))
    for one, other in zip(found, true, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
