"""Plan of a run without running it: parameter counts, length, and the memory of its steps.

Everything is built on the meta device, which has shapes but no memory.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.config.factory import (
    blueprint_of,
    build_game,
    build_networks,
    growth_of_generator,
    to_device,
)
from experiments.config.resolve import RunSpec
from experiments.config.run_length import plan_batches
from experiments.core.device import dtype_of
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.data.core.batch_sizes import BatchSchedule
from experiments.data.core.open import task_of
from experiments.training.fixed_layers import fix_layers
from experiments.training.shape_operations import KnownShapes
from experiments.training.shared_batches import share_batches
from experiments.training.tensor_memory import TensorMemory
from gans.core.clock import Clock
from gans.core.game import Game
from gans.core.growth import GrowingDuel
from gans.core.networks import Batch, Condition
from gans.core.optimizer import FUSED, FUSED_ON
from gans.core.player import Player
from losses.core.adaptive_probability import AdaptiveProbability
from losses.core.batch_parts import process_part, whole_batches


@dataclass(frozen=True)
class Estimate:
    """Parameter counts and length of a run."""

    generator_parameters: int
    critic_parameters: int
    steps: int
    kimg: float


def estimate(spec: RunSpec) -> Estimate:
    """Counts parameters and length of a run. Raises UsageError for settings that its networks cannot have."""
    return count_parameters(*build_without_memory(spec.settings))


def count_parameters(game: Game, plan: BatchSchedule) -> Estimate:
    """Counts parameters of a game, and the length of its run."""
    return Estimate(
        sum(each.numel() for each in game.generator_network.parameters()),
        sum(each.numel() for each in game.critic_network.parameters()),
        plan.steps,
        plan.images / 1000,
    )


class UnknownMemoryError(UsageError):
    """A component of a run asks for values of tensors, which an estimate does not have."""


def estimate_memory(spec: RunSpec) -> int:
    """Bytes that the tensors of a run take at most, about, in one process: from its steps on the meta device.

    They are weights, gradients, moments, EMAs and activations, without the data, and what libraries use for a
    moment. Raises UnknownMemoryError, and UsageError for settings that the run cannot have.
    """
    return estimate_tensor_memory(spec.settings, *build_without_memory(spec.settings))


def estimate_tensor_memory(settings: Settings, game: Game, plan: BatchSchedule) -> int:
    """Bytes that the tensors of a game without memory take at most. Raises as `estimate_memory`."""
    share_batches(settings, game, plan)
    state = size_of([*game.parameters(), *game.buffers()]) + size_of(game.generator_network.parameters())
    state += size_of(game.critic_network.parameters()) if settings.critic_ema_kimg else 0
    with errors_without_values(), drawn_alike():
        with KnownShapes():
            for player in game.players:
                player.take_zero_step()  # there are moments, as from the second step on
        return state + max(
            _memory_of_steps(settings, game, end, count) for end, count in _costly_batches(plan)
        )


@contextmanager
def drawn_alike() -> Iterator[None]:
    """Seeds what is drawn on the CPU, such as the margins of a resampling, and restores the generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


@contextmanager
def errors_without_values() -> Iterator[None]:
    """Turns errors of components that ask for values of tensors into UnknownMemoryError."""
    try:
        yield
    except (RuntimeError, TypeError) as error:
        line = str(error).partition("\n")[0]
        raise UnknownMemoryError(f"a component does not compute without values: {line}") from error


def build_without_memory(settings: Settings) -> tuple[Game, BatchSchedule]:
    """Builds the game of a run on the meta device, and plans its batches.

    Probabilities that follow the critic stay at 1, where steps take most.
    """
    meta = torch.device("meta")
    with KnownShapes(), meta:  # spectral norm is iterated as it is made
        generator, critic = build_networks(settings)
    fix_layers(settings, generator, critic)
    # Outside: its optimizers import parts that break on this device.
    game = to_device(build_game(settings, generator, critic), meta, dtype_of(settings.precision))
    fix_adaptive_probabilities(game)
    return game, plan_batches(settings, growth_of_generator(settings, generator), game.batches_per_round)


def fix_adaptive_probabilities(game: Game) -> None:
    """Sets probabilities that follow the critic to 1, from 0 at the start, and no longer adjusts them."""
    for module in game.modules():
        if isinstance(module, AdaptiveProbability):
            module.value, module.batch_index = 1.0, sys.maxsize  # so that no adjustment is due


def size_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors."""
    return sum(each.numel() * each.element_size() for each in tensors)


def _costly_batches(plan: BatchSchedule) -> list[tuple[int, int]]:
    """Ends of the segments that may need most memory, in images shown, with the size of their batches.

    Images grow, so these are the segments whose batches are larger than all later ones.
    """
    ends = [*(segment.seen for segment in plan.segments[1:]), plan.images]
    found: list[tuple[int, int]] = []
    for end, segment in zip(reversed(ends), reversed(plan.segments), strict=True):
        if not found or segment.batch_size > found[-1][1]:
            found.append((end, segment.batch_size))
    return found


def _memory_of_steps(settings: Settings, game: Game, end: int, batch_size: int) -> int:
    """Bytes of what a step makes just before so many images have been shown, when all penalties are due."""
    of_process, micro = -(-batch_size // process_part().count), settings.micro_batch_size
    # The second pass of an update has the gradients of the first beside it, and further ones need no more.
    count = min(of_process, 2 * micro) if isinstance(micro, int) else of_process
    loader = ShapeLoader(settings, Clock(max(0, end - batch_size), 0, 1.0), count)
    left_out = of_process / count - 1
    with whole_batches(), TensorMemory() as memory:
        _grow(game, loader.clock)
        for player in game.players:
            memory.hold(_moments(player))
            for weight in player.weights:
                weight.grad = torch.zeros_like(weight)
        with _fused_steps(settings, game.players):
            game.round(loader)
    samples, condition = loader.next_batch()
    return memory.peak + round(left_out * size_of([samples, *condition]))


def _grow(game: Game, clock: Clock) -> None:
    """Grows networks that do to their stage at a time, at which the moments are there all the same."""
    states = [dict(player.optimizer.state) for player in game.players]
    for module in game.modules():
        if isinstance(module, GrowingDuel):
            module.grow(clock)
    for player, state in zip(game.players, states, strict=True):
        player.optimizer.state.update(state)


def _moments(player: Player) -> Iterator[Tensor]:
    """Iterates over what a player's optimizer keeps of its weights' size; counts of steps are on the CPU."""
    for state in player.optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, Tensor) and value.is_meta)


@contextmanager
def _fused_steps(settings: Settings, players: Iterable[Player]) -> Iterator[None]:
    """Leaves out the steps of optimizers whose one kernel on the run's device takes no memory of its own."""
    optimizers = [player.optimizer for player in players if type(player.optimizer) in FUSED]
    if torch.device(settings.device).type not in FUSED_ON:
        optimizers = []
    for optimizer in optimizers:
        vars(optimizer)["step"] = lambda: None
    try:
        yield
    finally:
        for optimizer in optimizers:
            del vars(optimizer)["step"]


class ShapeLoader:
    """A loader of batches without values, at one time of a run.

    Args:
        count: samples in a batch.
        advances: whether batches are counted, so that penalties are taken at some of them only.
    """

    def __init__(self, settings: Settings, clock: Clock, count: int, advances: bool = False) -> None:
        self.settings, self.clock, self.count, self.advances = settings, clock, count, advances

    def next_batch(self) -> Batch:
        """Makes the next batch."""
        shape, dtype = blueprint_of(self.settings).sample_shape, dtype_of(self.settings.precision)
        samples = torch.empty(self.count, *shape, device="meta", dtype=dtype)
        if len(shape) == 3:
            samples = samples.to(memory_format=torch.channels_last)
        self.clock = self.clock._replace(batch_index=self.clock.batch_index + self.advances)
        return Batch(samples, meta_condition(self.settings, samples))


def meta_condition(settings: Settings, samples: Tensor) -> Condition:
    """Condition that a generator is given with each sample: labels, attributes or images, without values."""
    count = len(samples)
    if settings.classes:
        return (torch.zeros(count, dtype=torch.int64, device="meta"),)
    if settings.attributes:
        return (torch.zeros(count, len(settings.attributes), device="meta"),)
    return () if task_of(settings) == "noise" else (samples,)
