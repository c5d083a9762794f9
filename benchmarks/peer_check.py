"""Whether a hand-written loop computes the laboratory's losses and gradients on equal weights and numbers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.peer_pair import Draws, Loop, Pair
from experiments.config.resolve import resolve
from experiments.training.experiment import Experiment, build
from gans.core.clock import Clock
from gans.core.networks import Batch
from gans.core.player import Losses
from gans.core.styles import set_noise_mode

KEPT = "generator", "critic"  # a network, and whose loss needs it as it was before its last step
Objective = Callable[[Clock, Batch], Losses]


class FixedDraws(Draws):
    """Random numbers that are the same at every call of the same shape."""

    def latents(self, rows: int, z_dim: int, like: Tensor) -> Tensor:
        return _drawn((rows, z_dim), like, seed=1)

    def shares(self, like: Tensor) -> Tensor:
        return _drawn((len(like), *[1] * (like.dim() - 1)), like, seed=2).sigmoid()

    def pictures(self, like: Tensor) -> Tensor:
        return _drawn(tuple(like.shape), like, seed=3)


def _drawn(shape: tuple[int, ...], like: Tensor, seed: int) -> Tensor:
    """Draws from N(0, 1), by no function that a benchmark has put another one in the place of."""
    return like.new_empty(shape).normal_(generator=torch.Generator().manual_seed(seed))


class RestingPlayerError(Exception):
    """Error for a loop that leaves a player as it was."""


class Referee:
    """Laboratory's copy of a pair, which computes losses and gradients at the pair's weights.

    Attributes:
        differences: of each loss, relative to it or to 1; of each update's gradient, relative to its norm.
    """

    def __init__(self, flags: Mapping[str, Any]) -> None:
        self.experiment: Experiment = build(resolve({"device": "cpu", **flags}))
        self.differences: list[float] = []
        game = self.experiment.game
        self.networks = {"generator": game.generator_network, "critic": game.critic_network}

    def objectives(self) -> dict[str, Objective]:
        """The losses of the game by the name of the loop's loss."""
        game: Any = self.experiment.game
        names = ("generator", "critic", "path_length", "penalty")
        return {name: getattr(game, f"{name}_loss") for name in names if hasattr(game, f"{name}_loss")}

    def judge(self, loop: Loop, name: str, loss: Tensor | None, factor: float) -> None:
        """Compares a loss of the loop, where it is known, and the gradient that it left with ours."""
        pair = loop.pair
        player = "generator" if name in ("generator", "path_length") else "critic"
        for kind, network in self.networks.items():
            is_before_step = loop.moves_generator_first and not pair.weight and (kind, player) == KEPT
            if not is_before_step:  # the weights that made the fakes are still here
                network.load_state_dict(getattr(pair, kind).state_dict())
            network.requires_grad_(kind == player).zero_grad()
        real = loop.real.detach().contiguous(memory_format=torch.channels_last)
        with fixed_draws(), torch.autocast("cpu", enabled=False):
            terms = self.objectives()[name](Clock(0, 0, 0.0), Batch(real)).terms
        expected = factor * sum(terms.values(), start=torch.zeros(()))
        expected.backward()
        if loss is not None:
            self.differences.append((loss - expected).abs().item() / max(1.0, expected.abs().item()))
        ours, theirs = gradient(self.networks[player]), gradient(getattr(pair, player))
        self.differences.append(((ours - theirs).norm() / ours.norm()).item())


def gradient(network: nn.Module) -> Tensor:
    """The gradient of all weights of a network, as one vector; 0 for those that have none."""
    return gather(torch.zeros_like(w) if w.grad is None else w.grad for w in network.parameters())


def gather(tensors: Iterable[Tensor]) -> Tensor:
    """Copies tensors to one vector."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


@contextmanager
def fixed_draws() -> Iterator[None]:
    """Context in which the laboratory draws the numbers of FixedDraws."""
    draws = FixedDraws()
    latents = ("gans.core.networks.draw_latents", "gans.core.lazy_duel.draw_latents")
    with ExitStack() as stack:
        for name in latents:
            stack.enter_context(mock.patch(name, draws.latents))
        stack.enter_context(mock.patch("losses.penalties.interpolates.uniform_each", draws.shares))
        stack.enter_context(
            mock.patch("gans.core.lazy_duel.draw_like", lambda draw, like: draws.pictures(like))
        )
        yield


def largest_difference(kind: type[Loop], flags: Mapping[str, Any], cycles: int = 2) -> float:
    """Trains a loop for some cycles; returns the largest difference of its losses and gradients to ours.

    At each update the laboratory takes over the loop's weights, batch and random numbers.

    Raises RestingPlayerError where the loop does not move both players.
    """
    loop, referee = kind.of(flags), Referee(flags)
    pair: Pair = loop.pair
    for game in (pair.experiment.game, referee.experiment.game):
        set_noise_mode(game, "const")
    pair.draws = FixedDraws()
    pair.watch = lambda name, loss, factor=1.0: referee.judge(loop, name, loss, factor)
    players = {"generator": pair.generator, "critic": pair.critic}
    before = {name: gather(network.parameters()) for name, network in players.items()}
    for _ in range(cycles):
        loop.cycle()
    for name, network in players.items():
        if torch.equal(before[name], gather(network.parameters())):
            raise RestingPlayerError(f"{kind.name} does not move the {name}")
    return max(referee.differences)
