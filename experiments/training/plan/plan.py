"""Plan of a run: all that can be said of it before it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from typing import TypeVar

from experiments.config.resolve import RunSpec
from experiments.core.errors import RunError, UsageError
from experiments.core.settings import Settings
from experiments.data.core.batch_sizes import BatchSchedule
from experiments.data.core.dataset import DataSet, Domains
from experiments.data.core.open import open_data
from experiments.training.memory_estimate import (
    Estimate,
    UnknownMemoryError,
    build_without_memory,
    count_parameters,
)
from experiments.training.native_size import remark_on_native_size
from experiments.training.plan.disk import DiskSpace, checkpoint_bytes, estimate_disk_space
from experiments.training.plan.limits import LargestSizes, kimg_in, largest_sizes
from experiments.training.plan.memory import ProcessMemory, estimate_process_memory, resident_memory
from experiments.training.plan.penalty_weights import PenaltyWeights, suggest_penalty_weights
from experiments.training.plan.rounds import Operations, as_one_of, count_exchanged_bytes, count_operations
from experiments.training.plan.timing import RunTime, share_of_process, time_run
from experiments.training.shared_batches import share_batches
from gans.core.game import Game

SPREAD = 0.056  # of scores between seeds: the median of the seven losses in docs/comparison.md
FEWEST_SEEDS = 2  # with which gans compare tests at all
Result = TypeVar("Result")


@dataclass(frozen=True)
class PlanRequest:
    """Wishes for a plan, beside the settings of the run.

    Attributes:
        processes: that share each batch.
        memory: bytes that each of them has; None for no limit.
        hours: that the run may take; None for no limit.
        sizes_only: whether parameters, length and memory are enough.
        is_timed: whether steps are trained to time them.
        difference: of scores that is to be found, as a share of the score; None for none.
        spread: standard deviation of scores between seeds, as a share of the score.
    """

    processes: int = 1
    memory: int | None = None
    hours: float | None = None
    sizes_only: bool = False
    is_timed: bool = True
    difference: float | None = None
    spread: float = SPREAD


@dataclass(frozen=True)
class RunPlan:
    """Needs of a run, and sizes that fit. None stands for what was not asked for, or is unknown.

    Attributes:
        unknown: reason for which memory and operations are unknown; empty where they are known.
        exchanged: bytes that each process sends in a step.
        kimg_in_hours: length that ends within the hours.
        seeds: of each of two settings; infinity for more than 10,000.
        data: data of the run; None where they could not be fetched.
        remarks: remarks on the data that the run would log.
    """

    request: PlanRequest
    settings: Settings
    sizes: Estimate
    operations: Operations | None = None
    memory: ProcessMemory | None = None
    disk: DiskSpace | None = None
    unknown: str = ""
    exchanged: float | None = None
    time: RunTime | None = None
    largest: LargestSizes | None = None
    kimg_in_hours: float | None = None
    penalty_weights: PenaltyWeights | None = None
    seeds: float | None = None
    data: DataSet | Domains | None = field(default=None, repr=False)
    remarks: tuple[str, ...] = ()


def make_plan(spec: RunSpec, request: PlanRequest) -> RunPlan:
    """Plans a run. Raises UsageError for settings that the run cannot have."""
    settings, python = spec.settings, resident_memory()
    data = _open_data_if_there(settings) if request.sizes_only else open_data(settings)[0]

    def memory_of(asked: Settings, built: tuple[Game, BatchSchedule] | None = None) -> ProcessMemory:
        with as_one_of(request.processes):
            game, plan = built or build_without_memory(asked)
            share_batches(asked, game, plan)
            held = data if data is None or asked.image_size == settings.image_size else open_data(asked)[0]
            return estimate_process_memory(asked, game, plan, held, python)

    game, batches = build_without_memory(settings)
    sizes = count_parameters(game, batches)
    memory, unknown = _or_unknown(lambda: memory_of(settings, (game, batches)))
    remarks = _remarks_on(data, spec)
    plan = RunPlan(request, settings, sizes, memory=memory, unknown=unknown, data=data, remarks=remarks)
    if request.sizes_only or data is None:
        return plan
    if not unknown:
        plan = _with_work(plan, game, batches, data)
        if request.memory is not None:
            count = min(map(len, (data.a, data.b))) if isinstance(data, Domains) else len(data)
            wishes = request.memory, request.processes, count
            fitting = largest_sizes(settings, lambda asked: memory_of(asked).total, *wishes)
            plan = replace(plan, largest=fitting)
    plan = replace(plan, penalty_weights=suggest_penalty_weights(settings), seeds=_count_seeds(request))
    return _with_time(plan, spec) if request.is_timed else plan


def _with_work(plan: RunPlan, game: Game, batches: BatchSchedule, data: DataSet | Domains) -> RunPlan:
    """The plan with operations, disk and messages, which are counted on networks without values."""
    settings, processes = plan.settings, plan.request.processes
    checkpoint = checkpoint_bytes(settings, game)
    return replace(
        plan,
        operations=count_operations(settings, build_without_memory(settings)[0], batches),
        disk=estimate_disk_space(settings, game, batches, data, checkpoint),
        exchanged=count_exchanged_bytes(settings, processes) if processes > 1 else None,
    )


def _count_seeds(request: PlanRequest) -> float | None:
    """Number of seeds that find the difference that is asked for; infinity for more than 10,000."""
    if request.difference is None:
        return None
    # Not before the memory of this process is known: it is not what a run imports.
    from experiments.analysis.comparison.significance import seeds_to_detect

    seeds = seeds_to_detect(request.difference / request.spread)
    return inf if seeds is None else max(FEWEST_SEEDS, seeds)


def _with_time(plan: RunPlan, spec: RunSpec) -> RunPlan:
    """The plan with the time of its run, and the length that fits into the hours."""
    count, hours = plan.request.processes, plan.request.hours
    own = spec if count == 1 else replace(spec, settings=share_of_process(spec.settings, count))
    found = time_run(own)
    settings = plan.settings
    # Pictures and checkpoints come at shares of a run, unless their intervals are given.
    grows = settings.sample_kimg is not None or settings.checkpoint_kimg is not None
    fixed = found.start + (0.0 if grows else found.files)
    fitting = None if hours is None else kimg_in(hours, found.total, fixed, plan.sizes.kimg)
    return replace(plan, time=found, kimg_in_hours=fitting)


def _open_data_if_there(settings: Settings) -> DataSet | Domains | None:
    """Opens the data of a run; None where it cannot be fetched now. Raises UsageError as the run would."""
    try:
        return open_data(settings)[0]
    except RunError:
        return None


def _remarks_on(data: DataSet | Domains | None, spec: RunSpec) -> tuple[str, ...]:
    """Remarks on the data, in the order of the run's log."""
    if data is None:
        return ()
    sets = [data.a, data.b] if isinstance(data, Domains) else [data]
    of_size = remark_on_native_size(spec, sets)
    return (*(remark for each in sets for remark in each.remarks), *([of_size] if of_size else []))


def _or_unknown(work: Callable[[], Result]) -> tuple[Result | None, str]:
    """The result of some work, or else why it cannot be known."""
    try:
        return work(), ""
    except UnknownMemoryError as error:
        return None, str(error)


def read_request(
    processes: int, memory: str | None, hours: float | None, difference: str | None, spread: str | None
) -> PlanRequest:
    """Reads the words of a request. Raises UsageError."""
    if hours is not None and not isfinite(hours):
        raise UsageError(f"--hours {hours}: give a number of hours such as 4")
    return PlanRequest(
        processes,
        None if memory is None else read_bytes(memory),
        hours,
        difference=None if difference is None else read_share("--difference", difference),
        spread=SPREAD if spread is None else read_share("--spread", spread),
    )


UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def read_bytes(words: str) -> int:
    """Reads an amount of memory such as `12G` or `800M`. Raises UsageError."""
    number, unit = words.rstrip("iBbKkMmGgTt"), words.lstrip("0123456789.").upper().rstrip("B").rstrip("I")
    try:
        found = int(float(number) * UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        found = 0
    if found <= 0:
        raise UsageError(f"--memory {words}: give an amount such as 12G or 800M")
    return found


def read_share(name: str, words: str) -> float:
    """Reads a share such as `5%`. Raises UsageError."""
    try:
        found = float(words.rstrip("%")) / 100
    except ValueError:
        found = 0.0
    if not 0 < found < 10 or not words.endswith("%"):
        raise UsageError(f"{name} {words}: give a share of the score such as 5%")
    return found
