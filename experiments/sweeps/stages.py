"""Stages of a sweep: checking its runs, training them, successive halving, refinement, and ranking."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from experiments.analysis.comparison.outcome import failure_reason
from experiments.analysis.comparison.read import read_record
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.score_choice import (
    ScoreValue,
    direction,
    directional_scores,
    resolve_metric_name,
    scores_by_name,
)
from experiments.config.files import check_same_recipe
from experiments.config.resolve import RunSpec
from experiments.core.errors import RunError, UsageError
from experiments.core.ranking import median_score, rank
from experiments.runs.folder import RunFolder
from experiments.sweeps.engines import Engine
from experiments.sweeps.queue import Show, run_tasks
from experiments.sweeps.search_space import Sweep, SweepRun
from experiments.sweeps.worker import Evaluation, SweepTask

log = logging.getLogger("gans")


@dataclass(frozen=True)
class SweepContext:
    """Sweep with what it needs to run: folder, search space, evaluation and engine.

    Attributes:
        out: its folder, of which each run has a subfolder.
        sweep: the settings that vary.
        evaluation: of every run.
        engine: what starts the runs; None until they are to run.
        show: called with the state of each run whenever one changes, and now and then.
        processes: number of processes that train each run together.
    """

    out: Path
    sweep: Sweep
    evaluation: Evaluation
    engine: Engine | None = None
    show: Show = lambda states: None
    processes: int = 1

    def task(self, sweep_run: SweepRun, until_kimg: float | None = None) -> SweepTask:
        """Task of a sweep run, to its end or to `until_kimg`."""
        flags = {"group": self.out.name, **self.sweep.base, **sweep_run.settings, "seed": sweep_run.seed}
        folder = str(self.out / sweep_run.name)
        return SweepTask(
            folder,
            flags,
            dict(self.sweep.strengths),
            dict(self.sweep.file),
            self.evaluation,
            until_kimg,
            self.processes,
        )

    def folder(self, sweep_run: SweepRun) -> RunFolder:
        """Run folder of a sweep run."""
        return RunFolder(self.out / sweep_run.name)

    def record(self, sweep_run: SweepRun) -> Record:
        """Record of a sweep run; its settings are known even where it failed before it wrote them."""
        record = read_record(self.folder(sweep_run))
        return (
            record
            if record.settings
            else replace(record, settings=self.task(sweep_run).spec().settings.to_dict())
        )


def train_all(
    context: SweepContext, sweep_runs: Sequence[SweepRun], shares: Mapping[str, float] = {}
) -> None:
    """Trains all sweep runs to their end, or to the kimg that `shares` has for their name."""
    tasks = {sweep_run.name: context.task(sweep_run, shares.get(sweep_run.name)) for sweep_run in sweep_runs}
    assert context.engine is not None
    run_tasks(tasks, context.engine, context.show)


@dataclass(frozen=True)
class RankedSetting:
    """Setting of a sweep with the scores by which it is ranked.

    Attributes:
        sweep_runs: its runs, one for each seed.
        scores: a score of each run that is evaluated, and None for each that diverged, failed or collapsed.
        median: of the scores; None where it is worse than any number.
        score_name: name of the scores, such as `fd-random-vgg`; empty where no run has one.
    """

    sweep_runs: Sequence[SweepRun]
    scores: Sequence[float | None]
    median: float | None
    score_name: str

    @property
    def failed_count(self) -> int:
        """Number of runs that failed, diverged or collapsed."""
        return sum(score is None for score in self.scores)


def rank_settings(
    context: SweepContext, sweep_runs: Sequence[SweepRun], metric: str | None, kimg: float | None = None
) -> list[RankedSetting]:
    """Ranks the settings of a sweep by the median of their scores over the seeds, from the best to the worst.

    In the median, a run that diverged, failed or collapsed is worse than any number. A run that ended
    without such a score is left out, with a remark, and so is a setting that has no others.

    Args:
        kimg: takes the scores of the first evaluation at this kimg or later; None for the last evaluation.

    Raises RunError where no run ended with such a score.
    """
    settings: dict[str, list[SweepRun]] = {}
    for sweep_run in sweep_runs:
        settings.setdefault(str(sweep_run.settings), []).append(sweep_run)
    outcomes = {run.name: _outcome(context.folder(run), metric, kimg) for run in sweep_runs}
    up = any(outcome.is_higher_better for outcome in outcomes.values() if outcome)
    found, word = [], metric or "to choose the best by"
    for own in settings.values():
        known = [outcome for run in own if (outcome := outcomes[run.name])]
        if known:
            scores, name = [outcome.score for outcome in known], max(outcome.name for outcome in known)
            found.append(RankedSetting(own, scores, median_score(scores, up), name))
    for name in (name for name, outcome in outcomes.items() if outcome is None):
        path = context.out / name
        log.info(
            f"{path} has no score {word}, and is left out; make it with: gans evaluate {quote(str(path))}"
        )
    if all(score is None for each in found for score in each.scores):
        raise RunError(f"no sweep run ended with a score {word}; see log.txt in their folders")
    return rank(found, lambda each: each.scores, up)


class _Outcome(NamedTuple):
    """Score of a sweep run, whether a higher one is better, and its name.

    It is None for a run that failed, diverged or collapsed.
    """

    score: float | None
    is_higher_better: bool = False
    name: str = ""


def _outcome(folder: RunFolder, metric: str | None, kimg: float | None) -> _Outcome | None:
    """Outcome of a run at an evaluation; None where it is not evaluated by a score with a direction."""
    record = read_record(folder)
    if failure_reason(record):
        return _Outcome(None)
    marks = scores_by_name(record)
    possible = directional_scores(marks)
    name = resolve_metric_name(metric, marks) if metric else next(iter(possible), "")
    own = marks[name] if name in possible else []
    later = own[-1:] if kimg is None else [mark for mark in own if (mark.kimg or 0.0) >= kimg]
    if not later:
        return None
    score = later[0].value if math.isfinite(later[0].value) else None
    return _Outcome(score, bool(direction(name, later[0].entry)), name)


def run_finer_search(
    context: SweepContext, sweep_runs: Sequence[SweepRun], top: int, metric: str | None
) -> list[SweepRun]:
    """Runs a finer search around the best settings, to its end; returns its runs."""
    ranked = rank_settings(context, sweep_runs, metric)[:top]
    best = [each.sweep_runs[0].settings for each in ranked if each.failed_count < len(each.scores)]
    log.info(f"a finer search around the best {len(best)}")
    finer = context.sweep.finer_runs(best)
    train_all(context, finer)
    return finer


def successive_halving(
    context: SweepContext, sweep_runs: Sequence[SweepRun], metric: str, kimg: Mapping[str, float]
) -> list[SweepRun]:
    """Trains sweep runs by successive halving (Jamieson & Talwalkar 2016).

    All train for a while, the better half of the settings goes on, for twice as long, and so forth, so
    that each rung shows as many images in all.

    Args:
        kimg: length of every run, by name.

    Returns:
        The runs that trained to their end.
    """
    left = list(sweep_runs)
    count = len({str(sweep_run.settings) for sweep_run in sweep_runs})
    rungs = max(1, math.ceil(math.log2(count)) + 1)
    for rung in range(rungs - 1):
        share = (2 ** (rung + 1) - 1) / (2**rungs - 1)
        until = {sweep_run.name: kimg[sweep_run.name] * share for sweep_run in left}
        log.info(f"rung {rung + 1} of {rungs}: {len(left)} sweep runs, to {share:.0%} of their length")
        train_all(context, left, until)
        order = rank_settings(context, left, metric, min(until.values()) * 0.999)
        half = order[: math.ceil(len(order) / 2)]
        kept = [each for each in half if each.failed_count < len(each.scores)]
        for each in order[len(kept) :]:
            _stop_early(context, each, until)
        left = [sweep_run for each in kept for sweep_run in each.sweep_runs]
    log.info(f"rung {rungs} of {rungs}: {len(left)} sweep runs, to their end")
    train_all(context, left)
    return left


def _stop_early(context: SweepContext, setting: RankedSetting, until: Mapping[str, float]) -> None:
    """Writes into the runs of a setting that they were stopped early, and why."""
    for sweep_run in setting.sweep_runs:
        folder = context.folder(sweep_run)
        # Some were finished by an earlier sweep, with fewer seeds; failures are told, and tried again.
        if folder.is_finished or folder.state.startswith("failed"):
            continue
        share = f"{setting.failed_count} of {len(setting.scores)}"
        why = f"{share} runs did not end (failed, diverged or collapsed)"
        if setting.median is not None:
            why = f"{setting.score_name} {setting.median:.4g}"
        folder.end(f"stopped early: {why} after {until[sweep_run.name]:.4g} kimg")


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
    from experiments.training.memory_estimate import estimate

    possible: dict[str, float] = {}
    faults, judged = {}, set()
    for sweep_run in sweep_runs:
        task = context.task(sweep_run)
        try:
            check_same_recipe(task.file, task.flags)
            spec = task.spec()
            folder = context.folder(sweep_run)
            if folder.exists and (changed := folder.differences(spec.settings)):
                raise UsageError(f"made with other settings ({'; '.join(changed[:3])}); take another --out")
            possible[sweep_run.name] = estimate(spec).kimg
            settings = spec.settings
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
    return possible


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
