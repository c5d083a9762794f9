"""What the tests of translators share: tiny networks in float64, batches for each task, and a deal."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gans.core.architecture import Blueprint
from gans.core.attributes import NO_YES, AttributeGroup
from gans.core.clock import Clock
from gans.core.game import Game
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from losses.adversarial.lsgan import LeastSquares
from losses.core.adversarial import Adversarial
from tests.conftest import ARCHITECTURES

RATE = 0.1
SGD = partial(torch.optim.SGD, lr=RATE)
GROUPS = (AttributeGroup("hue", ("red", "green", "blue")), AttributeGroup("filled", NO_YES))
SHAPE = (3, 8, 8)


def blueprint_of(shape: tuple[int, ...] = SHAPE, width: int = 2, **options: Any) -> Blueprint:
    return Blueprint(shape, z_dim=0, width=width, attributes=GROUPS, **options)


def networks_of(arch: str, **options: Any) -> tuple[Any, Any]:
    """Generator and critic in float64, with weights so large that every layer matters."""
    torch.manual_seed(0)
    architecture, blueprint = ARCHITECTURES[arch], blueprint_of(**options)
    networks = architecture.generator(blueprint), architecture.critic(blueprint)
    for network in networks:
        enliven(network.double())
    return networks


def enliven(network: nn.Module) -> None:
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)


def weights_of(arch: str) -> dict[str, float]:
    """Of the generator's other terms, as published."""
    return dict(
        next(d.values["term_weights"] for d in ARCHITECTURES[arch].settings if d.values.get("term_weights"))
    )


def game_of(
    arch: str, form: Adversarial | None = None, size: dict[str, Any] | None = None, **spec: Any
) -> Any:
    """A game of tiny networks, least squares unless another form is asked for, and plain gradient descent."""
    weights = spec.pop("weights", weights_of(arch))
    spec = {"form": form or LeastSquares(), "generator_optimizer": SGD, "critic_optimizer": SGD} | spec
    game = ARCHITECTURES[arch].game(*networks_of(arch, **(size or {})), LossSpec(**spec, weights=weights))
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
    """What the architecture's task deals."""
    task = ARCHITECTURES[arch].task
    conditioned = rows_of(count, seed) if task == "attributes" else images(count, 1000 + seed, shape)
    return Batch(images(count, seed, shape), (conditioned,))


class BatchLoader:
    """Batches that are a function of their number; those that were dealt."""

    def __init__(self, arch: str, count: int = 2) -> None:
        self.arch, self.count = arch, count
        self.dealt: list[Batch] = []

    @property
    def clock(self) -> Clock:
        turn = len(self.dealt)
        return Clock(turn * self.count, turn, turn / 1000)

    def __call__(self) -> Batch:
        self.dealt.append(batch_of(self.arch, self.count, seed=len(self.dealt)))
        return self.dealt[-1]


def moved(game: Game, name: str, before: Any, objective: Tensor) -> None:
    """Fails unless the player, "generator" or "critic", took one step of plain gradient descent from `before`
    down this objective."""
    slopes = torch.autograd.grad(objective, list(before.parameters()), allow_unused=True)
    after = game.generator_network if name == "generator" else game.critic_network
    for (label, new), old, slope in zip(after.named_parameters(), before.parameters(), slopes, strict=True):
        expected = old if slope is None else old - RATE * slope
        torch.testing.assert_close(new, expected, rtol=1e-9, atol=1e-12, msg=f"{name}: {label}")
