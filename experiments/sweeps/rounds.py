"""The rounds of a sweep: which members can be, which train for how long, and which are the best."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.analysis.comparison.read import record_of
from experiments.analysis.comparison.score_choice import Mark, directed, direction, marks_of, named
from experiments.config.files import refuse_another_recipe
from experiments.config.resolve import RunSpec
from experiments.core.errors import RunError, UsageError
from experiments.runs.folder import RunFolder
from experiments.sweeps.engines import Engine
from experiments.sweeps.queue import Show, work_off
from experiments.sweeps.search_space import Sweep, SweepRun
from experiments.sweeps.worker import Evaluation, SweepTask

log = logging.getLogger("gans")


@dataclass(frozen=True)
class SweepContext:
    """What a sweep needs to run.

    Attributes:
        out: its folder, of which each member has a subfolder.
        sweep: what varies.
        evaluation: of every member.
        engine: where members run; None until they are to run.
        show: told each member's state whenever one changes, and now and then.
    """

    out: Path
    sweep: Sweep
    evaluation: Evaluation
    engine: Engine | None = None
    show: Show = lambda states: None

    def task(self, sweep_run: SweepRun, until_kimg: float | None = None) -> SweepTask:
        flags = {"group": self.out.name, **self.sweep.base, **sweep_run.settings, "seed": sweep_run.seed}
        folder = str(self.out / sweep_run.name)
        return SweepTask(
            folder, flags, dict(self.sweep.strengths), dict(self.sweep.file), self.evaluation, until_kimg
        )

    def folder(self, sweep_run: SweepRun) -> RunFolder:
        return RunFolder(self.out / sweep_run.name)


def run_all(context: SweepContext, sweep_runs: Sequence[SweepRun], shares: Mapping[str, float] = {}) -> None:
    """Brings every member to its end, or to the kimg that `shares` has for its name."""
    tasks = {sweep_run.name: context.task(sweep_run, shares.get(sweep_run.name)) for sweep_run in sweep_runs}
    assert context.engine is not None
    work_off(tasks, context.engine, context.show)


def ranked(
    context: SweepContext, sweep_runs: Sequence[SweepRun], metric: str | None, kimg: float | None = None
) -> list[tuple[float, list[SweepRun]]]:
    """The mean score of each setting over its seeds, and its members, from the best to the worst. Members
    that failed, or whose score is no finite number, are left out of it, as is a setting that has no other.

    Args:
        kimg: the scores are those of the first evaluation at so many images or more; None: of the last.

    Raises RunError where none has such a score.
    """
    settings: dict[str, list[SweepRun]] = {}
    for sweep_run in sweep_runs:
        settings.setdefault(str(sweep_run.settings), []).append(sweep_run)
    found, is_higher_better = [], False
    for own in settings.values():
        scores = [_score(context.folder(sweep_run), metric, kimg) for sweep_run in own]
        values = [score.value for score in scores if score and math.isfinite(score.value)]
        is_higher_better = is_higher_better or any(score.is_higher_better for score in scores if score)
        if values:
            found.append((float(np.mean(values)), own))
    if not found:
        score = metric or "to choose the best by"
        raise RunError(f"no member has a score {score}; see log.txt in their folders")
    return sorted(found, key=lambda pair: pair[0], reverse=is_higher_better)


class _Score(NamedTuple):
    value: float
    is_higher_better: bool


def _score(folder: RunFolder, metric: str | None, kimg: float | None) -> _Score | None:
    marks = marks_of(record_of(folder))
    possible = directed(marks)
    name = named(metric, marks) if metric else next(iter(possible), "")
    if name not in possible:
        return None
    own = marks[name]
    later = own[-1:] if kimg is None else [mark for mark in own if (mark.kimg or 0.0) >= kimg]
    return _Score(later[0].value, bool(direction(name, later[0].made))) if later else None


def refine(
    context: SweepContext, sweep_runs: Sequence[SweepRun], top: int, metric: str | None
) -> list[SweepRun]:
    """The finer round around the best settings, run to its end."""
    best = [own[0].settings for _, own in ranked(context, sweep_runs, metric)[:top]]
    log.info(f"a finer round around the best {len(best)}")
    finer = context.sweep.finer(best)
    run_all(context, finer)
    return finer


def halve(
    context: SweepContext, sweep_runs: Sequence[SweepRun], metric: str, kimg: Mapping[str, float]
) -> list[SweepRun]:
    """Successive halving (Jamieson & Talwalkar 2016): all train for a while, the better half of the settings
    goes on, for twice as long, and so forth, so that each rung shows as many images in all.

    Args:
        kimg: of every member's whole run.

    Returns:
        The members that trained to their end.
    """
    left = list(sweep_runs)
    count = len({str(sweep_run.settings) for sweep_run in sweep_runs})
    rungs = max(1, math.ceil(math.log2(count)) + 1)
    for rung in range(rungs - 1):
        share = (2 ** (rung + 1) - 1) / (2**rungs - 1)
        until = {sweep_run.name: kimg[sweep_run.name] * share for sweep_run in left}
        log.info(f"rung {rung + 1} of {rungs}: {len(left)} members, to {share:.0%} of their length")
        run_all(context, left, until)
        order = ranked(context, left, metric, min(until.values()) * 0.999)
        kept = order[: math.ceil(len(order) / 2)]
        for mean, own in order[len(kept) :]:
            for sweep_run in own:
                if context.folder(sweep_run).is_finished:  # by an earlier sweep, with fewer seeds
                    continue
                words = f"stopped early: {metric} {mean:.4g} after {until[sweep_run.name]:.4g} kimg\n"
                context.folder(sweep_run).ended_file.write_text(words, encoding="utf-8")
        left = [sweep_run for _, own in kept for sweep_run in own]
    log.info(f"rung {rungs} of {rungs}: {len(left)} members, to their end")
    run_all(context, left)
    return left


def check(
    context: SweepContext, sweep_runs: Sequence[SweepRun], skips: bool, metrics: Sequence[str]
) -> dict[str, float]:
    """The kimg of every member's run, by name, of those that can be; the others are said, one by one.

    Args:
        metrics: by which members are chosen and compared.

    Raises UsageError for any of these, unless it `skips` them, where none is left, and for scores that cannot
    be taken: all of that would else be found after the training.
    """
    from experiments.training.estimate import estimate

    possible: dict[str, float] = {}
    faults, judged = {}, set()
    for sweep_run in sweep_runs:
        task = context.task(sweep_run)
        try:
            refuse_another_recipe(task.file, task.flags)
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
            f"{len(faults)} of {len(sweep_runs)} members cannot be, and none was started; change the settings"
            + ("" if not possible else ", or leave these out with --skip-impossible")
        )
    return possible


def check_scores(context: SweepContext, spec: RunSpec, metrics: Sequence[str]) -> None:
    """Raises UsageError for an extractor or metric that does not fit the data, and for scores to choose by
    that are none of those that are taken."""
    if not context.evaluation.count:
        return
    evaluator = context.evaluation.evaluator(spec.settings.device)
    evaluator.open(spec.settings, "the sweep")
    marks: dict[str, list[Mark]] = {}
    for task_metrics in evaluator.task_metrics:
        for name, kind in task_metrics.metrics.items():
            key, made = (
                evaluator.key_of(name, task_metrics.direction.key),
                {"distance": evaluator.extractor.distance},
            )
            several = len(kind.higher_is_better) > 1
            for number in kind.higher_is_better:
                marks[f"{key}/{number}" if several else key] = [Mark(None, math.nan, made)]
    for metric in metrics:
        if named(metric, marks) not in marks:
            raise UsageError(
                f"{metric} is none of the scores that members get ({', '.join(marks)}); name one of them, "
                "or change these with --evaluate-metrics"
            )
