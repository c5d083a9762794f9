"""The size of micro-batches that fits into memory (`--micro-batch-size auto`), and advice where none does."""

import io
import logging
from dataclasses import replace

import torch

from experiments.core.console import is_out_of_memory
from experiments.core.errors import RunError, UsageError
from experiments.core.processes import min_over_ranks
from experiments.core.word_lists import describe_count
from experiments.data.core.loader import Loader
from experiments.data.core.memory import free_memory
from experiments.training.experiment import Experiment
from experiments.training.memory_estimate import (
    UnknownMemoryError,
    estimate_memory,
    fix_adaptive_probabilities,
)
from experiments.training.shared_batches import check_size
from gans.core.clock import Clock
from gans.core.networks import Batch
from losses.core.batch_parts import WHOLE, BatchPart, process_part, set_process_part, whole_batches

log = logging.getLogger("gans")

TURNS = 64  # batches after which penalties and path lengths that are taken at times are due together
ESTIMATE_SLACK = 2.0  # times an estimate that a step may take on a CPU, which cannot be tried there


def choose_micro_batch_size(experiment: Experiment) -> None:
    """Sets the largest micro-batches that fit: tries steps on the device, with the largest batch first.

    On a CPU, where a process that takes too much is killed, the estimate of `--dry-run` decides. Nothing of
    the experiment's state changes. Raises RunError where not even the smallest fit, and UsageError where
    there is no estimate.
    """
    largest = max(_sizes_here(experiment))
    possible = [largest, *possible_sizes(experiment, largest - 1)]
    before = io.BytesIO()
    torch.save(experiment.state_dict(), before)
    for size in possible:
        _set_size(experiment, size)
        fix_adaptive_probabilities(experiment.game)  # restored with the rest
        fits = min_over_ranks(int(_fits(experiment, size)))
        before.seek(0)
        experiment.load_state_dict(torch.load(before, map_location="cpu"))
        if fits:
            if size < largest:
                log.info(f"micro-batches of {size} of {largest} images fit into memory")
            return
    images = describe_count(possible[-1], "image")
    raise RunError(f"not enough memory for {images} at once; take a smaller --width or --image-size")


def describe_lack_of_memory(experiment: Experiment) -> str:
    """Describes that memory did not suffice for a step, with a size of micro-batches that would fit."""
    largest = max(_sizes_here(experiment))
    now = experiment.players[0].micro_batch_size or largest
    smaller = possible_sizes(experiment, now // 2)
    remedy = "--batch-size, --width or --image-size" if now > 1 else "--width or --image-size"
    if not smaller:
        return f"not enough memory for {describe_count(now, 'image')} at once; take a smaller {remedy}"
    memory = _memory_of(experiment)
    try:
        fitting = next((size for size in smaller if _estimate(experiment, size) < 0.8 * memory), smaller[-1])
    except UnknownMemoryError:
        fitting = smaller[0]
    return (
        f"not enough memory for {describe_count(now, 'image')} at once; the same with --micro-batch-size "
        f"{fitting} needs less"
    )


def possible_sizes(experiment: Experiment, most: int) -> list[int]:
    """Sizes of micro-batches that all batches of the run can be taken in, from `most` downwards."""
    settings, found = experiment.spec.settings, []
    for size in range(most, 0, -1):
        asked = replace(settings, micro_batch_size=size)
        try:
            for segment in experiment.loader.batch_schedule.segments:
                check_size(asked, experiment.game, segment.batch_size)
        except UsageError:
            continue
        found.append(size)
    return found


def _sizes_here(experiment: Experiment) -> set[int]:
    """Sizes of the parts of batches that this process has."""
    segments = experiment.loader.batch_schedule.segments
    return {segment.batch_size // process_part().count for segment in segments}


def _set_size(experiment: Experiment, size: int) -> None:
    """Sets the size of micro-batches."""
    for player in experiment.players:
        player.micro_batch_size = size


def _fits(experiment: Experiment, size: int) -> bool:
    """Whether steps with micro-batches of a size fit into memory, wherever batches or images are largest."""
    if not _can_be_tried(experiment):
        try:
            return _estimate(experiment, size) * ESTIMATE_SLACK < _memory_of(experiment)
        except UnknownMemoryError as error:
            raise UsageError(f"--micro-batch-size auto: {error}; take a number") from error
    loader = _OwnRows(experiment.loader, process_part())
    weights = max(sum(weight.numel() for weight in player.weights) for player in experiment.players)
    try:
        # Kept free meanwhile, for the gradients that processes exchange.
        own = experiment.players[0].weights[0]
        reserve = own.new_empty(weights if process_part().count > 1 else 0)
        with whole_batches():  # nobody waits for a process whose memory runs out
            for position in _costly_positions(experiment):
                experiment.loader.seen = position
                experiment.game.round(loader)
        del reserve
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        for player in experiment.players:
            player.optimizer.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True


def _can_be_tried(experiment: Experiment) -> bool:
    """Whether a step that takes too much memory fails, instead of ending the process."""
    return experiment.loader.device.type != "cpu"


def _costly_positions(experiment: Experiment) -> list[int]:
    """Images shown where a step takes most memory: late in every segment, as images grow."""
    schedule, found = experiment.loader.batch_schedule, []
    ends = [*(segment.seen for segment in schedule.segments[1:]), schedule.images]
    for segment, end in zip(schedule.segments, ends, strict=True):
        batches = (end - segment.seen) // segment.batch_size - experiment.game.batches_per_round
        turns = max(0, batches - (segment.batch_index + batches) % TURNS)
        found += [segment.seen + each * segment.batch_size for each in dict.fromkeys((0, turns))]
    return found


class _OwnRows:
    """A loader of this process's rows, for a game that is computed without the other processes."""

    def __init__(self, loader: Loader, part: BatchPart) -> None:
        self.loader, self.part = loader, part

    @property
    def clock(self) -> Clock:
        """The time before the next batch is loaded."""
        return self.loader.clock

    def next_batch(self) -> Batch:
        """Loads this process's rows of the next batch, and advances the clock."""
        set_process_part(self.part)
        try:
            return self.loader.next_batch()
        finally:
            set_process_part(WHOLE)


def _estimate(experiment: Experiment, size: int) -> float:
    """Bytes that a step with micro-batches of a size takes, estimated. Raises UnknownMemoryError."""
    spec = experiment.spec
    return estimate_memory(replace(spec, settings=replace(spec.settings, micro_batch_size=size)))


def _memory_of(experiment: Experiment) -> int:
    """Bytes of memory that the experiment's device has, on a CPU those that are free."""
    device = experiment.loader.device
    return torch.cuda.mem_get_info(device)[1] if device.type == "cuda" else free_memory()
