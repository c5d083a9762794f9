"""Plan of a run: all that can be said of it before it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from experiments.config.resolve import RunSpec
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.data.core.dataset import DataSet, Domains
from experiments.data.core.open import open_data
from experiments.training.memory_estimate import (
    Estimate,
    UnknownMemoryError,
    build_without_memory,
    count_parameters,
)
from experiments.training.plan.disk import DiskSpace, checkpoint_bytes, estimate_disk_space
from experiments.training.plan.limits import LargestSizes, kimg_in, largest_sizes
from experiments.training.plan.memory import ProcessMemory, estimate_process_memory, resident_memory
from experiments.training.plan.penalty_weights import PenaltyWeights, suggest_penalty_weights
from experiments.training.plan.rounds import Operations, as_one_of, count_exchanged_bytes, count_operations
from experiments.training.plan.timing import RunTime, share_of_process, time_run
from experiments.training.shared_batches import share_batches

SPREAD = 0.056  # of scores between seeds: the median of the seven losses in docs/comparison.md
FEWEST_SEEDS = 2  # with which gans compare tests at all
Result = TypeVar("Result")


@dataclass(frozen=True)
class PlanRequest:
    """PlanRequest for a plan beside the settings of the run.

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
        seeds: of each of two settings.
    """

    request: PlanRequest
    settings: Settings
    sizes: Estimate
    operations: Operations | None
    memory: ProcessMemory | None
    disk: DiskSpace | None
    unknown: str = ""
    exchanged: float | None = None
    time: RunTime | None = None
    largest: LargestSizes | None = None
    kimg_in_hours: float | None = None
    penalty_weights: PenaltyWeights | None = None
    seeds: int | None = None
    data: DataSet | Domains | None = field(default=None, repr=False)


def make_plan(spec: RunSpec, request: PlanRequest) -> RunPlan:
    """Plans a run. Raises UsageError for settings that the run cannot have."""
    settings, python = spec.settings, resident_memory()
    data = open_data(settings)[0]

    def memory_of(asked: Settings) -> ProcessMemory:
        with as_one_of(request.processes):
            game, plan = build_without_memory(asked)
            share_batches(asked, game, plan)
            held = data if asked.image_size == settings.image_size else open_data(asked)[0]
            return estimate_process_memory(asked, game, plan, held, python)

    game, plan = build_without_memory(settings)
    sizes = count_parameters(game, plan)
    memory, unknown = _or_unknown(lambda: memory_of(settings))
    if unknown:
        return RunPlan(request, settings, sizes, None, None, None, unknown)
    if request.sizes_only:
        return RunPlan(request, settings, sizes, None, memory, None)
    operations = count_operations(settings, build_without_memory(settings)[0], plan)
    checkpoint = checkpoint_bytes(settings, game)
    exchanged = count_exchanged_bytes(settings, request.processes) if request.processes > 1 else None
    whole = RunPlan(
        request,
        settings,
        sizes,
        operations,
        memory,
        estimate_disk_space(settings, game, plan, data, checkpoint),
        exchanged=exchanged,
        penalty_weights=suggest_penalty_weights(settings),
        data=data,
    )
    if request.memory is not None:
        count = min(map(len, (data.a, data.b))) if isinstance(data, Domains) else len(data)
        fitting = largest_sizes(
            settings, lambda asked: memory_of(asked).total, request.memory, request.processes, count
        )
        whole = replace(whole, largest=fitting)
    if request.difference is not None:
        # Not before the memory of this process is known: it is not what a run imports.
        from experiments.analysis.comparison.significance import seeds_to_detect

        seeds = seeds_to_detect(request.difference / request.spread)
        whole = replace(whole, seeds=None if seeds is None else max(FEWEST_SEEDS, seeds))
    return _with_time(whole, spec) if request.is_timed else whole


def _with_time(plan: RunPlan, spec: RunSpec) -> RunPlan:
    """The plan with the time of its run, and the length that fits into the hours."""
    count, hours = plan.request.processes, plan.request.hours
    own = spec if count == 1 else replace(spec, settings=share_of_process(spec.settings, count))
    found = time_run(own)
    fitting = None if hours is None else kimg_in(hours, found.total, found.start, plan.sizes.kimg)
    return replace(plan, time=found, kimg_in_hours=fitting)


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
