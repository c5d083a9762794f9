"""Time of a run, from steps that are really trained on a copy that is thrown away."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from experiments.config.factory import growth_of_generator
from experiments.config.resolve import RunSpec
from experiments.core.background_writer import BackgroundWriter
from experiments.core.settings import Settings
from experiments.core.stop_signal import StopSignal
from experiments.runs.checkpoint import Checkpoints
from experiments.trackers.core.several import TrackerGroup
from experiments.training.callbacks import CHECKPOINTS, GRIDS, Callback, Progress
from experiments.training.checkpoint_callback import Checkpointer
from experiments.training.experiment import Experiment, build
from experiments.training.fine_tuning import begin_from_weights
from experiments.training.metric_logging import GradientNorms, MetricLogger
from experiments.training.micro_batches import choose_micro_batch_size
from experiments.training.plan.disk import count_calls
from experiments.training.plan.rounds import cycle_of
from experiments.training.sample_grids import SampleGrid
from experiments.training.steps import train_steps
from gans.core.clock import Clock
from gans.core.growth import GrowingGenerator
from gans.core.player import Scores

TIMED_STEPS, WARM_UP = 20, 2
FEWEST_STEPS = 3  # that are timed of a stage, however long they take
SECONDS = 45.0  # in which all stages are timed, unless the fewest steps take longer
POINTS = 400  # of a run at which it is looked for stages of growing


class TrainingStage(NamedTuple):
    """Steps in a row that take about equally long.

    Attributes:
        seen: images shown in the middle of them.
        steps: their number.
    """

    seen: int
    steps: int


@dataclass(frozen=True)
class RunTime:
    """Seconds that a run takes.

    Attributes:
        start: seconds to build it and load its data, and what first steps take longer than others.
        stages: numbers of steps, and seconds of a step, of each stage.
        files: seconds of all sample grids and checkpoints.
        evaluations: number of evaluations, whose time is not known.
    """

    start: float
    stages: Sequence[tuple[int, float]]
    files: float
    evaluations: int

    @property
    def total(self) -> float:
        """Seconds of the whole run without evaluations."""
        return self.start + self.training + self.files

    @property
    def training(self) -> float:
        """Seconds of all steps."""
        return sum(steps * seconds for steps, seconds in self.stages)


def time_run(spec: RunSpec, seconds: float = SECONDS) -> RunTime:
    """Trains some steps of every stage of a run, on a copy that is discarded, and times them.

    Args:
        seconds: about the longest that the steps may take together.

    Raises what building the run raises.
    """
    began = time.perf_counter()
    experiment = build(spec)
    if spec.settings.init_from is not None:
        begin_from_weights(experiment, log_table=False)
    if spec.settings.micro_batch_size == "auto":
        choose_micro_batch_size(experiment)
    start = time.perf_counter() - began
    stages, found = training_stages(experiment), []
    cycle = cycle_of(spec.settings, experiment.game.batches_per_round)
    left = seconds
    for index, stage in enumerate(stages):
        began = time.perf_counter()
        each, once = _time_steps(experiment, stage, cycle, left / (len(stages) - index))
        found.append((stage.steps, each))
        start += once
        left = max(0.0, left - (time.perf_counter() - began))
    files = _time_files(experiment)
    settings = spec.settings
    schedule = experiment.loader.batch_schedule
    evaluations = count_calls(settings.evaluate_kimg, 1, schedule) if settings.evaluate_kimg else 0
    return RunTime(start, found, files, evaluations)


def training_stages(experiment: Experiment) -> list[TrainingStage]:
    """Stages of a run: one, or of growing images those of each size, fading in and whole."""
    settings, schedule = experiment.spec.settings, experiment.loader.batch_schedule
    generator, batches = experiment.game.generator_network, experiment.game.batches_per_round
    if not isinstance(generator, GrowingGenerator):
        return [TrainingStage(0, experiment.total_steps)]
    levels, pace = generator.stage.levels, growth_of_generator(settings, generator).pace

    def kind(seen: int) -> tuple[int, bool, int]:
        stage = pace.stage(Clock(seen, 0, schedule.progress(seen)), levels)
        return ceil(stage), stage == ceil(stage), schedule.batch_size(seen)

    points = [schedule.images * index // POINTS for index in range(POINTS)]
    groups = [list(group) for _, group in groupby(points, kind)]
    ends = [*(group[0] for group in groups[1:]), schedule.images]
    found = []
    for group, end in zip(groups, ends, strict=True):
        first, last = (schedule.batch_index(each) // batches for each in (group[0], end))
        found.append(TrainingStage(group[len(group) // 2], last - first))
    return [stage for stage in found if stage.steps]


def _time_steps(
    experiment: Experiment, stage: TrainingStage, cycle: int, seconds: float
) -> tuple[float, float]:
    """Seconds of a step of a stage: the median, or over whole cycles the mean.

    And those by which its first steps take longer, as they import and choose kernels.
    """
    experiment.loader.seen = stage.seen
    batches = experiment.game.batches_per_round
    first = experiment.loader.clock.batch_index // batches
    wanted = min(-(-TIMED_STEPS // cycle) * cycle, max(FEWEST_STEPS, stage.steps))
    most = min(WARM_UP + wanted, experiment.total_steps - first)
    ends: list[float] = []
    stop = StopSignal()
    began = time.perf_counter()

    def note(progress: Progress, scores: Scores) -> None:
        _wait_for(experiment)
        ends.append(time.perf_counter())
        is_late = ends[-1] - began > seconds and len(ends) > WARM_UP + max(FEWEST_STEPS - 1, cycle - 1)
        stop.requested = len(ends) >= most or is_late

    logger = MetricLogger(TrackerGroup([], []), lambda line: None)
    callbacks: list[Callback] = [GradientNorms(experiment.players), logger, note]
    _wait_for(experiment)
    train_steps(experiment, first, callbacks, stop)
    times = [b - a for a, b in zip([began, *ends], ends, strict=False)]
    timed = times[WARM_UP:] or times[-1:]
    whole = len(timed) // cycle * cycle or len(timed)
    each = median(timed) if cycle == 1 else sum(timed[:whole]) / whole
    return each, sum(max(0.0, first - each) for first in times[:WARM_UP])


def _wait_for(experiment: Experiment) -> None:
    """Waits until the device has done what it was asked for."""
    if experiment.loader.device.type == "cuda":
        torch.cuda.synchronize(experiment.loader.device)


def _time_files(experiment: Experiment) -> float:
    """Seconds of all sample grids and checkpoints of the run, with their writing.

    Two of each are timed: the first of all imports what draws and writes, the others do not.
    """
    settings, steps = experiment.spec.settings, experiment.total_steps
    progress = Progress(steps, experiment.total_images, 0, is_last=True)
    with TemporaryDirectory(prefix="gans-plan-") as folder, BackgroundWriter() as writer:
        tracker = TrackerGroup([], [])
        logger = MetricLogger(tracker, lambda line: None)
        grid = SampleGrid(experiment, Path(folder), 1, tracker, writer)
        checkpointer = Checkpointer(experiment, Checkpoints(Path(folder)), 1, logger, writer)
        pictures, checkpoints = (
            [_seconds_of(partial(make, step), writer.wait) for step in (1, 2)]
            for make in (lambda step: grid(progress, {}), checkpointer.save)
        )
    schedule = experiment.loader.batch_schedule
    counts = (
        count_calls(settings.sample_kimg, GRIDS, schedule),
        count_calls(settings.checkpoint_kimg, CHECKPOINTS, schedule),
    )
    return sum(
        first + next_ones * (count - 1)
        for (first, next_ones), count in zip((pictures, checkpoints), counts, strict=True)
        if count
    )


def _seconds_of(*parts: Callable[[], object]) -> float:
    """Seconds that the parts of some work take, one after the other."""
    began = time.perf_counter()
    for work in parts:
        work()
    return time.perf_counter() - began


def share_of_process(settings: Settings, processes: int) -> Settings:
    """Settings of a run of one process on the part of the batch that each of several has."""
    key = "arch.stage_batch_sizes"
    options = dict(settings.options)
    if options.get(key):
        options[key] = tuple((side, max(1, size // processes)) for side, size in options[key])
    kimg = None if settings.kimg is None else settings.kimg / processes
    size = max(1, settings.batch_size // processes)
    return replace(settings, batch_size=size, kimg=kimg, options=options)
