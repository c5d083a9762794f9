"""Stages of a sweep: training its runs, successive halving and refinement."""

import logging
import math
from collections.abc import Mapping, Sequence

from experiments.core.word_lists import describe_count
from experiments.sweeps.context import SweepContext
from experiments.sweeps.queue import run_tasks
from experiments.sweeps.ranking import RankedSetting, rank_settings
from experiments.sweeps.search_space import SweepRun

log = logging.getLogger("gans")


def train_all(
    context: SweepContext, sweep_runs: Sequence[SweepRun], shares: Mapping[str, float] = {}
) -> None:
    """Trains all sweep runs to their end, or to the kimg that `shares` has for their name."""
    tasks = {sweep_run.name: context.task(sweep_run, shares.get(sweep_run.name)) for sweep_run in sweep_runs}
    assert context.engine is not None
    run_tasks(tasks, context.engine, context.show)


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
    shares = rung_shares(len({str(sweep_run.settings) for sweep_run in sweep_runs}))
    rungs = len(shares)
    for rung, share in enumerate(shares[:-1]):
        until = {sweep_run.name: kimg[sweep_run.name] * share for sweep_run in left}
        runs = describe_count(len(left), "sweep run")
        log.info(f"rung {rung + 1} of {rungs}: {runs}, to {share:.0%} of the length")
        train_all(context, left, until)
        order = rank_settings(context, left, metric, min(until.values()) * 0.999)
        half = order[: math.ceil(len(order) / 2)]
        kept = [each for each in half if each.failed_count < len(each.scores)]
        for each in order[len(kept) :]:
            stop_early(context, each, until)
        left = [sweep_run for each in kept for sweep_run in each.sweep_runs]
    log.info(f"rung {rungs} of {rungs}: {describe_count(len(left), 'sweep run')}, to the end")
    train_all(context, left)
    return left


def rung_shares(count: int) -> list[float]:
    """Shares of a run at which so many settings are halved; the last is 1, the end.

    Were half of them to go on each time, each rung would show as many images in all.
    """
    rungs = max(1, math.ceil(math.log2(count)) + 1)
    return [(2 ** (rung + 1) - 1) / (2**rungs - 1) for rung in range(rungs)]


def stop_early(context: SweepContext, setting: RankedSetting, until: Mapping[str, float]) -> None:
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
