"""Checks of a sweep before its first run starts: its settings, its folder and its scores."""

import logging
import math
from collections.abc import Mapping, Sequence

from experiments.analysis.comparison.score_choice import SAME_KIMG, ScoreValue, resolve_metric_name
from experiments.config.files import check_same_recipe
from experiments.config.resolve import RunSpec
from experiments.core.errors import UsageError
from experiments.runs.folder import RunFolder
from experiments.sweeps.context import SweepContext
from experiments.sweeps.search_space import SweepRun

log = logging.getLogger("gans")


def check_sweep_runs(
    context: SweepContext, sweep_runs: Sequence[SweepRun], skips: bool, metrics: Sequence[str]
) -> dict[str, float]:
    """Checks that every sweep run can be built and evaluated; returns the kimg of those that can, by name.

    Those that cannot are logged, one by one.

    Args:
        metrics: scores by which runs are chosen and compared.

    Raises UsageError for impossible runs, unless it `skips` them, where no run is left, and for scores
    that cannot be computed: all of that would else be found after the training.
    """
    possible: dict[str, float] = {}
    faults, judged, slack = {}, set(), 0.0
    for sweep_run in sweep_runs:
        try:
            spec, length = resolve_sweep_run(context, sweep_run)
            check_other_settings(context, sweep_run, spec)
            possible[sweep_run.name] = length
            settings = spec.settings
            slack = max(slack, settings.batch_size * settings.n_critic / 1000, SAME_KIMG * length)
            kind = (settings.arch, settings.data, settings.image_size, settings.channels)
        except UsageError as error:
            faults[sweep_run.name] = str(error)
            continue
        if kind not in judged:
            judged.add(kind)
            check_scores(context, spec, metrics)
    for name, fault in faults.items():
        log.info(f"{name}: {fault}")
    if faults and not (skips and possible):
        raise UsageError(
            f"{len(faults)} of {len(sweep_runs)} sweep runs are impossible, and none was started; "
            "change the settings" + ("" if not possible else ", or leave these out with --skip-impossible")
        )
    varies = {"kimg", "steps"} & {*context.sweep.choices, *context.sweep.ranges}
    if context.evaluation.count and not context.sweep.evaluates_on_the_way and not varies:
        warn_of_other_lengths(possible, slack)
    return possible


def warn_of_other_lengths(lengths: Mapping[str, float], slack: float) -> None:
    """Warns that runs whose lengths differ by more than `slack` in kimg will not be compared."""
    shortest, longest = (pick(lengths, key=lengths.__getitem__) for pick in (min, max))
    if lengths[longest] - lengths[shortest] > slack:
        log.warning(
            f"{shortest} trains for {lengths[shortest]:g} kimg and {longest} for {lengths[longest]:g}: "
            "scores are compared at equal kimg alone, so these will not be; give the length as --kimg, or "
            "score them on the way with --evaluate-kimg"
        )


def resolve_sweep_run(context: SweepContext, sweep_run: SweepRun) -> tuple[RunSpec, float]:
    """Resolves a sweep run; returns its specification and its length in kimg.

    Raises UsageError for settings that no run can have, or none of so many processes.
    """
    from experiments.training.memory_estimate import estimate

    task, processes = context.task(sweep_run), context.processes
    check_same_recipe(task.file, task.flags)
    spec = task.spec()
    length = estimate(spec).kimg
    stages = dict(spec.settings.options.get("arch.stage_batch_sizes", ()))
    for size in (spec.settings.batch_size, *stages.values()):
        if size % processes:
            raise UsageError(
                f"--batch-size {size} is not shared out evenly to {processes} processes; take "
                f"{max(1, round(size / processes)) * processes}, or another --devices-per-run"
            )
    return spec, length


def check_other_settings(context: SweepContext, sweep_run: SweepRun, spec: RunSpec) -> None:
    """Checks that the folder of a sweep run holds no run with other settings. Raises UsageError."""
    folder = context.folder(sweep_run)
    if folder.exists and (changed := folder.differences(spec.settings)):
        raise UsageError(f"made with other settings ({'; '.join(changed[:3])}); take another --out")


def check_scored_alike(context: SweepContext) -> None:
    """Checks that no run in a sweep's folder has been scored otherwise, as rungs compare scores of all runs.

    Runs that were stopped early are scored anew where they ended, which would be compared with the scores of
    others on their way. Raises UsageError.
    """
    for path in sorted(context.out.glob("*")):
        if context.evaluation.is_another(RunFolder(path)):
            raise UsageError(
                f"{path} was scored by another evaluation, and --early-stop compares the scores of rungs; "
                "repeat the sweep with the evaluation of before, or take another --out"
            )


def check_scores(context: SweepContext, spec: RunSpec, metrics: Sequence[str]) -> None:
    """Checks that the evaluation of a sweep fits the data, and yields the scores that runs are chosen by.

    Raises UsageError for an extractor or metric that does not fit the data, and for a score that is not
    among those that are computed.
    """
    if not context.evaluation.count:
        return
    evaluator = context.evaluation.evaluator(spec.settings.device)
    evaluator.open(spec.settings, "the sweep")
    evaluator.check_complete()
    marks: dict[str, list[ScoreValue]] = {}
    for task_metrics in evaluator.task_metrics:
        for scored in task_metrics.metrics:
            key, made = (
                evaluator.key_of(scored.name, task_metrics.task.key, scored.suffix),
                {"distance": evaluator.extractor.distance},
            )
            several = len(scored.metric.higher_is_better) > 1
            for number in scored.metric.higher_is_better:
                marks[f"{key}/{number}" if several else key] = [ScoreValue(None, math.nan, made)]
    for metric in metrics:
        if resolve_metric_name(metric, marks) not in marks:
            raise UsageError(
                f"{metric} is none of the scores of the sweep runs ({', '.join(marks)}); name one of them, "
                "or change these with --evaluate-metrics"
            )
