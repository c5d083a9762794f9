"""Every architecture in the catalogue builds what its blueprint says."""

from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.optim import SGD

from experiments.core import registry
from gans.batch_statistics.deviation import MinibatchDeviation
from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock
from gans.core.growth import GrowingGenerator
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.layers.sizes import count_halvings
from gans.norms.batch import BatchNorm
from losses.adversarial.lsgan import LeastSquares
from tests.conftest import FROM_NOISE
from tests.gans.translating import norm_of

ARCHITECTURES = FROM_NOISE
SHAPES = [(1, 8, 8), (3, 16, 16), (4, 16, 8), (1, 28, 28), (3, 24, 40)]


def architectures(kind: str) -> list[str]:
    return [name for name in ARCHITECTURES if kind in registry.load("architecture", name).data]


def build(name: str, blueprint: Blueprint) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    architecture: Architecture = registry.load("architecture", name)
    return architecture.generator(blueprint), architecture.critic(blueprint)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", architectures("images"))
def test_images(name: str, shape: tuple[int, ...]) -> None:
    generator, critic = build(name, Blueprint(shape, z_dim=5, width=3))
    images = generator(torch.randn(6, 5))
    assert images.shape == (6, *shape)
    assert images.isfinite().all()
    assert generator.eval()(torch.randn(6, 5)).abs().max() <= 1  # what is shown; training may go beyond
    assert critic(images).shape[:1] == (6,)  # logits of parts of an image have further dimensions


@pytest.mark.parametrize("name", architectures("points"))
def test_points_are_not_bounded(name: str) -> None:
    generator, critic = build(name, Blueprint((2,), z_dim=3, width=8))
    points = generator(1000 * torch.randn(7, 3))
    assert points.shape == (7, 2)
    assert points.abs().max() > 2
    assert critic(points).shape == (7,)


@pytest.mark.parametrize("name", architectures("images"))
def test_every_parameter_is_used(name: str) -> None:
    """A layer that is built and forgotten in `forward` gets no gradient."""
    generator, critic = build(name, Blueprint((3, 16, 16), z_dim=5, width=4))
    levels = generator.stage.levels if isinstance(generator, GrowingGenerator) else 0
    for stage in [level + 0.5 for level in range(levels)] or [None]:  # in every fade
        for network in (generator, critic):
            if stage is not None:
                network.stage.set(stage)
        critic(generator(torch.randn(4, 5))).square().sum().backward()
    unused = {n for net in (generator, critic) for n, p in net.named_parameters() if p.grad is None}
    if unused:  # further heads, which the game uses
        game = registry.load("architecture", name).game(
            generator, critic, LossSpec(LeastSquares(), partial(SGD, lr=0.0), partial(SGD, lr=0.0))
        )
        real = Batch(torch.rand(4, 3, 16, 16))
        critic.requires_grad_(True)
        losses = game.critic_loss(Clock(0, 0, 0.0), real)
        torch.stack([*losses.terms.values()]).sum().backward()
        unused -= {n for n, p in critic.named_parameters() if p.grad is not None}
    assert not unused


@pytest.mark.parametrize("name", architectures("images"))
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_critic_without_batch_norm_judges_samples_one_by_one(name: str, norm: str) -> None:
    """What a per-sample gradient penalty needs [1]. Minibatch deviation looks at groups, as published."""
    _, critic = build(name, Blueprint((3, 16, 16), z_dim=5, width=4, critic_norm=norm_of(norm)))
    for module in critic.modules():
        if isinstance(module, MinibatchDeviation):
            module.group = 1
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(critic(x)[2:3], critic(x[2:3]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["images", "points"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_dropout_drops_in_the_critic_only(name: str, kind: str) -> None:
    if kind not in registry.load("architecture", name).data:
        return
    shape = (3, 16, 16) if kind == "images" else (2,)
    generator, critic = build(name, Blueprint(shape, z_dim=5, width=8, critic_dropout=0.5))
    x = torch.randn(4, *shape)
    assert not torch.equal(critic(x), critic(x))
    assert torch.equal(critic.eval()(x), critic(x))
    z = torch.randn(4, 5)
    generator.eval()  # noise and the mixing of styles are drawn while it trains
    assert torch.equal(generator(z), generator(z))
    _, whole = build(name, Blueprint(shape, z_dim=5, width=8))
    assert torch.equal(whole(x), whole(x))


def test_dcgan_has_no_bias_before_a_norm_and_the_papers_initial_weights() -> None:
    blueprint = Blueprint((3, 64, 64), z_dim=100, width=64, critic_norm=BatchNorm())
    networks = build("dcgan", blueprint)
    for network in networks:
        layers = [m for m in network.modules() if not list(m.children())]
        for layer, following in pairwise(layers):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                assert (layer.bias is None) == isinstance(following, nn.BatchNorm2d)
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_dcgan_widths_are_those_of_the_paper() -> None:
    """Figure 1: 1,024 × 4 × 4 → 512 → 256 → 128 → 3 × 64 × 64, which is width 128 here."""
    generator, _ = build("dcgan", Blueprint((3, 64, 64), z_dim=100, width=128))
    layers = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert generator.base == (1024, 4, 4)
    assert [(m.in_channels, m.out_channels) for m in layers] == [
        (1024, 512),
        (512, 256),
        (256, 128),
        (128, 3),
    ]


@pytest.mark.parametrize(
    ("size", "count"),
    [((64, 64), 4), ((32, 32), 3), ((28, 28), 2), ((256, 256), 6), ((96, 64), 4), ((8, 24), 1)],
)
def test_dcgan_halvings(size: tuple[int, int], count: int) -> None:
    assert count_halvings(*size) == count


@pytest.mark.parametrize("size", [(33, 33), (7, 7), (64, 66), (4, 4), (100, 100)])
def test_dcgan_names_sizes_that_it_cannot_halve(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"image size {size[0]}x{size[1]}"):
        count_halvings(*size)
