"""Rounds of a game without values: floating point operations, and bytes that processes exchange."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import lcm
from typing import Any

import torch
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from experiments.core.processes import average_scores
from experiments.core.settings import Settings
from experiments.data.core.batch_sizes import BatchSchedule
from experiments.training.memory_estimate import (
    ShapeLoader,
    build_without_memory,
    drawn_alike,
    errors_without_values,
)
from experiments.training.shape_operations import perform, tensors_in
from experiments.training.shared_batches import share_batches
from gans.core.clock import Clock
from gans.core.game import Game
from gans.core.networks import GeneratorNetwork
from losses.core.batch_parts import BatchPart, process_part, set_process_part

MOST_ROUNDS = 10_000  # of a cycle that is looked at; longer ones are cut off


@dataclass(frozen=True)
class Operations:
    """Floating point operations, a multiplication and an addition counted as two.

    Attributes:
        per_sample: of the generator for one sample.
        per_real: of training for one real image shown, with all updates, penalties and backward passes.
    """

    per_sample: float
    per_real: float


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context that counts floating point operations by PyTorch's formulas, of double backward passes too.

    PyTorch's own counter follows modules as well, and fails in a gradient of a gradient. Tensors with values
    are constants that are computed once and kept, so that theirs do not count.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, operation: Any, types: Any, inputs: Any = (), named: Any = None) -> Any:
        outputs = perform(operation, inputs, named or {})
        formula = flop_registry.get(operation._overloadpacket)
        if formula is not None and all(each.is_meta for each in tensors_in(outputs)):
            self.count += formula(*inputs, **(named or {}), out_val=outputs)
        return outputs


def cycle_of(settings: Settings, batches_per_round: int) -> int:
    """Number of rounds after which penalties that are taken at times come round again."""
    return min(MOST_ROUNDS, lcm(1, *(_intervals(settings, batches_per_round))))


def _intervals(settings: Settings, batches_per_round: int) -> list[int]:
    """Numbers of rounds between losses that are not taken in every one."""
    own = [value for key, value in settings.options.items() if key.endswith("_every") and value]
    every = settings.penalty_every or 1
    return [*own, lcm(every, batches_per_round) // batches_per_round]


def different_rounds(settings: Settings, batches_per_round: int) -> list[tuple[int, float]]:
    """Rounds that differ in what is due in them, by the index of the first, with their shares of all."""
    length, intervals = cycle_of(settings, batches_per_round), _intervals(settings, batches_per_round)
    due = [tuple(index % interval == 0 for interval in intervals) for index in range(length)]
    return [(due.index(each), count / length) for each, count in Counter(due).items()]


def count_operations(settings: Settings, game: Game, plan: BatchSchedule) -> Operations:
    """Counts operations at the full image size, by PyTorch's counter. Raises UnknownMemoryError."""
    count, batches = plan.segments[-1].batch_size, game.batches_per_round
    total = 0.0
    with errors_without_values(), drawn_alike():
        for index, share in different_rounds(settings, batches):
            with OperationCounter() as counter:
                game.round(_loader(settings, plan, count, index * batches))
            total += share * counter.count
        generator = game.generator_network
        assert isinstance(generator, GeneratorNetwork)
        batch = _loader(settings, plan, count, 0).next_batch()
        with OperationCounter() as counter, torch.no_grad():
            generator.generate(batch)
    return Operations(counter.count / count, total / (count * batches))


def _loader(settings: Settings, plan: BatchSchedule, count: int, batch_index: int) -> ShapeLoader:
    """A loader at the end of a run."""
    return ShapeLoader(settings, Clock(max(0, plan.images - count), batch_index, 1.0), count, advances=True)


def count_exchanged_bytes(settings: Settings, processes: int) -> float:
    """Bytes that each of several processes sends in a step, by ring all-reduces: `2 (N − 1) / N` of each.

    These are gradients, statistics of batch norm and of batches, and scores. Raises UsageError where the
    batch is not shared out evenly, and UnknownMemoryError.
    """
    with as_one_of(processes):
        game, plan = build_without_memory(settings)
        share_batches(settings, game, plan)
        count, batches = plan.segments[-1].batch_size // processes, game.batches_per_round
        total = 0.0
        with errors_without_values():
            for index, share in different_rounds(settings, batches):
                with _counted_messages() as sizes:
                    average_scores(game.round(_loader(settings, plan, count, index * batches)))
                total += share * sum(sizes)
    return total * 2 * (processes - 1) / processes


@contextmanager
def as_one_of(processes: int) -> Iterator[None]:
    """Context in which this process plans the first part of a batch that so many processes share."""
    before = process_part()
    set_process_part(BatchPart(0, processes))
    try:
        yield
    finally:
        set_process_part(before)


@contextmanager
def _counted_messages() -> Iterator[list[int]]:
    """Context in which nothing is sent: the bytes of each tensor that would be are noted instead."""
    sizes: list[int] = []
    whole = dist.all_reduce

    def note(tensor: torch.Tensor, *_: Any, **__: Any) -> None:
        sizes.append(tensor.numel() * tensor.element_size())

    dist.all_reduce = note  # type: ignore[assignment]
    try:
        yield sizes
    finally:
        dist.all_reduce = whole
