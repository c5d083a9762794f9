"""What the tests of translators share: tiny networks in float64, batches for each task, and their loader."""

from dataclasses import fields
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from experiments.core import registry
from gans.core.architecture import Blueprint
from gans.core.attributes import NO_YES, AttributeGroup
from gans.core.clock import Clock
from gans.core.game import Game
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.layers.norms import CriticNorm
from losses.adversarial.lsgan import LeastSquares
from losses.core.adversarial import Adversarial
from tests.conftest import ARCHITECTURES

RATE = 0.1
SGD = partial(torch.optim.SGD, lr=RATE)
GROUPS = (AttributeGroup("hue", ("red", "green", "blue")), AttributeGroup("filled", NO_YES))
SHAPE = (3, 8, 8)


def norm_of(name: str) -> CriticNorm:
    """The critic norm of that name in the catalogue."""
    norm: CriticNorm = registry.load("norm", name)()
    return norm


# Those that put layers between the critic's.
MAP_NORMS = [name for name in registry.names("norm") if norm_of(name).of_maps(1)]


def blueprint_of(shape: tuple[int, ...] = SHAPE, width: int = 2, z_dim: int = 0, **others: Any) -> Blueprint:
    return Blueprint(shape, z_dim=z_dim, width=width, attributes=GROUPS, **others)


def networks_of(arch: str, **others: Any) -> tuple[Any, Any]:
    """Generator and critic in float64, with weights so large that every layer matters."""
    torch.manual_seed(0)
    architecture, blueprint = ARCHITECTURES[arch], blueprint_of(**others)
    networks = architecture.generator(blueprint), architecture.critic(blueprint)
    for network in networks:
        enliven(network.double())
    return networks


def enliven(network: nn.Module) -> None:
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)


def terms_of(arch: str) -> set[str]:
    """The generator's terms beside the adversarial one: those whose weights are options."""
    weights = [
        each.name for each in fields(ARCHITECTURES[arch].options_type) if each.name.endswith("_weight")
    ]
    return {name.removesuffix("_weight") for name in weights}


def game_of(
    arch: str, form: Adversarial | None = None, size: dict[str, Any] | None = None, **spec: Any
) -> Any:
    """A game of tiny networks, least squares unless another form is asked for, and plain gradient descent."""
    spec = {"form": form or LeastSquares(), "generator_optimizer": SGD, "critic_optimizer": SGD} | spec
    networks = networks_of(arch, options=spec.get("options"), **(size or {}))
    game = ARCHITECTURES[arch].game(*networks, LossSpec(**spec))
    return game.double()


def images(count: int, seed: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """In [−1, 1], float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, *shape, generator=generator, dtype=torch.float64) * 2 - 1


def rows_of(count: int, seed: int) -> Tensor:
    """Attributes of that many images, float64 `(N, 4)`."""
    generator = torch.Generator().manual_seed(seed)
    parts = [g.encode(torch.randint(len(g.values), (count,), generator=generator)) for g in GROUPS]
    return torch.cat(parts, dim=1).double()


def batch_of(arch: str, count: int = 2, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Batch:
    """A batch of the architecture's task."""
    task = ARCHITECTURES[arch].task
    if task == "noise":
        return Batch(images(count, seed, shape))
    condition = rows_of(count, seed) if task == "attributes" else images(count, 1000 + seed, shape)
    return Batch(images(count, seed, shape), (condition,))


class BatchLoader:
    """Batches that are a function of their number; those that were loaded."""

    def __init__(self, arch: str, count: int = 2) -> None:
        self.arch, self.count = arch, count
        self.loaded: list[Batch] = []

    @property
    def clock(self) -> Clock:
        batch_index = len(self.loaded)
        return Clock(batch_index * self.count, batch_index, batch_index / 1000)

    def next_batch(self) -> Batch:
        self.loaded.append(batch_of(self.arch, self.count, seed=len(self.loaded)))
        return self.loaded[-1]


def moved(game: Game, name: str, before: Any, objective: Tensor) -> None:
    """Fails unless the player, "generator" or "critic", took one step of plain gradient descent from `before`
    down this objective."""
    slopes = torch.autograd.grad(objective, list(before.parameters()), allow_unused=True)
    after = game.generator_network if name == "generator" else game.critic_network
    for (label, new), old, slope in zip(after.named_parameters(), before.parameters(), slopes, strict=True):
        expected = old if slope is None else old - RATE * slope
        torch.testing.assert_close(new, expected, rtol=1e-9, atol=1e-12, msg=f"{name}: {label}")
