"""The input gradient in games and of critics of patches: both ways are the same penalty, in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from experiments.config.factory import build_game, build_networks
from experiments.config.resolve import resolve
from experiments.core import registry
from gans.core.clock import Clock
from gans.core.networks import Batch
from losses.core import input_gradient as module
from losses.core.gradient_penalty import GradientPenalty
from losses.core.input_gradient import input_gradient
from losses.penalties.real import Real

pytestmark = pytest.mark.usefixtures("one_thread")


class BatchLoader:
    """Batches that are a function of their number, in float64."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.loaded = shape, 0

    @property
    def clock(self) -> Clock:
        return Clock(self.loaded * 4, self.loaded, self.loaded / 100)

    def next_batch(self) -> Batch:
        self.loaded += 1
        generator = torch.Generator().manual_seed(self.loaded)
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
    for way in ("gradient_by_chain", "gradient_by_autograd"):
        take = getattr(module, way)
        monkeypatch.setattr(
            module, way, lambda *given, way=way, take=take: (ways.append(way), take(*given))[1]
        )
    with_chain = _play(arch)
    monkeypatch.setattr(module, "piecewise_linear_layers", lambda critic: None)
    without = _play(arch)
    assert ways == ["gradient_by_chain"] * 10 + ["gradient_by_autograd"] * 10
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


@pytest.mark.parametrize("norm", registry.names("penalty-norm"))
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
    penalty = GradientPenalty(Real(), registry.load("penalty-norm", norm)(), 10.0)(critic, points, points)
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
    expected = 10 * registry.load("penalty-norm", norm)()(squared).mean()
    torch.testing.assert_close(input_gradient(critic, points), torch.stack(slopes))
    torch.testing.assert_close(penalty.value, expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(penalty.gradient_norm, squared.sqrt().mean(), rtol=1e-10, atol=0)
    weights = [parameter for parameter in critic.parameters() if parameter.dim() > 1]
    found, true = (torch.autograd.grad(value, weights) for value in (penalty.value, expected))
    for one, other in zip(found, true, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
