"""Search of settings, trial by trial: what it tries and which trials go on follows from the scores so far."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.word_lists import describe_count
from experiments.sweeps.checks import check_other_settings, resolve_sweep_run
from experiments.sweeps.context import SweepContext
from experiments.sweeps.optuna_rules import KnownTrial, goes_on, propose_settings
from experiments.sweeps.queue import run_tasks
from experiments.sweeps.ranking import RankedSetting, score_setting
from experiments.sweeps.search_space import SweepRun
from experiments.sweeps.stages import rung_shares, stop_early
from experiments.sweeps.trials import DONE, STOPPED, Rung, Trial, TrialFile
from experiments.sweeps.worker import SweepTask

log = logging.getLogger("gans")

# Proposes the settings of the next trial from the trials so far; None where there are no others.
Propose = Callable[[Sequence[KnownTrial]], SettingValues | None]


class ImpossibleTrialError(Exception):
    """Error for settings of a trial that no run can have, in one line."""


def run_search(
    context: SweepContext, sweep_runs: Sequence[SweepRun], metric: str | None, halves: bool
) -> tuple[list[SweepRun], list[SweepRun]]:
    """Runs a search to its end, or goes on with it; returns all its runs, and those of whole length.

    With one run at a time, a search that was interrupted at any moment ends with the trials of one that was
    not. Trials that fail or collapse count as the worst, and the search goes on.

    Args:
        sweep_runs: runs whose settings it tries in turn; TPE chooses its own.
        metric: score by which it chooses; None for the first that has a direction.
        halves: whether trials are stopped early by asynchronous successive halving.
    """
    sweep = context.sweep
    given = list({sweep.name_of(run.settings): run.settings for run in sweep_runs}.values())
    if sweep.is_tpe:
        search = Search(context, partial(propose_settings, sweep), sweep.draws or 0, metric, halves)
    else:
        search = Search(context, lambda trials: given[len(trials)], len(given), metric, halves)
    assert context.engine is not None
    run_tasks({}, context.engine, context.show, search)
    whole = [run for trial in search.trials if trial.end == DONE for run in search.runs_of(trial)]
    return [run for trial in search.trials for run in search.runs_of(trial)], whole


class Search:
    """Search of settings; called with the states of runs, it gives the tasks that come next.

    Trials are kept in `search.json` of the sweep's folder: their settings as soon as they are chosen, and
    their results. A trial of which a run failed is tried again by a later search in that folder.

    Args:
        propose: proposes the settings of the next trial.
        count: number of trials.
        metric, halves: as for `run_search`.
    """

    def __init__(
        self, context: SweepContext, propose: Propose, count: int, metric: str | None, halves: bool
    ) -> None:
        self.context, self.propose, self.count, self.metric = context, propose, count, metric
        self.shares = rung_shares(count) if halves else [1.0]
        rules = {
            "search": "tpe" if context.sweep.is_tpe else "given",
            "halving": "asynchronous" if halves else None,
            "metric": metric,
        }
        self.file = TrialFile(context.out / "search.json", context.sweep, rules)
        self.trials = self.file.read()[:count]
        self.at_work: list[Trial] = []
        self._pending = [trial for trial in self.trials if self._is_pending(trial)]

    def runs_of(self, trial: Trial) -> list[SweepRun]:
        """Runs of a trial, one for each seed."""
        return self.context.sweep.runs_of([trial.settings])

    def __call__(self, states: Mapping[str, str]) -> dict[str, SweepTask]:
        """Settles the trials whose runs have ended; gives the tasks that come next, of one trial.

        Args:
            states: of all runs so far.
        """
        for trial in list(self.at_work):
            ends = [states[run.name] for run in self.runs_of(trial)]
            if any(end in ("waiting", "running") for end in ends):
                continue
            if "stopped" in ends:  # by somebody else: a later search goes on with it
                self.at_work.remove(trial)
                continue
            self._settle(trial)
            if not trial.end:
                return self._tasks(trial)
            self.at_work.remove(trial)
        while (trial_or_none := self._next_trial()) is not None:
            if tasks := self._begin(trial_or_none):
                return tasks
        return {}

    def _is_pending(self, trial: Trial) -> bool:
        """Whether anything of a trial that was begun earlier is left to do, such as runs that failed."""
        folders = [self.context.folder(run) for run in self.runs_of(trial)]
        if trial.rungs and any(folder.state.startswith("failed") for folder in folders):
            trial.rungs.pop()
            trial.end = ""
        if len(trial.kimg) != len(self.shares):  # another number of trials has other rungs
            trial.rungs, trial.end = [], ""
        return not trial.end

    def _next_trial(self) -> Trial | None:
        """Trial that comes next: one that was begun earlier, or a new one; None where there is none."""
        if self._pending:
            return self._pending.pop(0)
        if len(self.trials) >= self.count:
            return None
        settings = self.propose([trial.known() for trial in self.trials])
        if settings is None:
            log.info(
                f"all settings are tried: the search ends after {describe_count(len(self.trials), 'trial')}"
            )
            self.count = len(self.trials)
            return None
        self.trials.append(Trial(len(self.trials), settings, list(self.context.sweep.seeds)))
        self.file.write(self.trials)
        return self.trials[-1]

    def _begin(self, trial: Trial) -> dict[str, SweepTask]:
        """Begins a trial; gives its tasks, or none where its settings are impossible, which counts as worst.

        Raises UsageError where another run is in its folder.
        """
        try:
            length = self._length(trial)
        except ImpossibleTrialError as error:
            log.info(f"trial {trial.number}: {error}")
            for run in self.runs_of(trial):
                self.context.folder(run).path.mkdir(parents=True, exist_ok=True)
                self.context.folder(run).end(f"failed: {error}")
            trial.rungs, trial.end = [Rung(0.0, None)], STOPPED
            self.file.write(self.trials)
            return {}
        trial.kimg = [length * share for share in self.shares]
        self.at_work.append(trial)
        return self._tasks(trial)

    def _length(self, trial: Trial) -> float:
        """Length of a trial's runs in kimg. Raises ImpossibleTrialError for settings that cannot be."""
        run = self.runs_of(trial)[0]
        try:
            spec, length = resolve_sweep_run(self.context, run)
        except UsageError as error:
            raise ImpossibleTrialError(str(error)) from error
        check_other_settings(self.context, run, spec)
        return length

    def _tasks(self, trial: Trial) -> dict[str, SweepTask]:
        """Tasks of a trial's runs, to its next rung."""
        rung = len(trial.rungs)
        until = trial.kimg[rung] if rung < len(trial.kimg) - 1 else None
        return {run.name: self.context.task(run, until) for run in self.runs_of(trial)}

    def _settle(self, trial: Trial) -> None:
        """Writes down the result of a trial's rung, and whether the trial goes on."""
        rung, runs = len(trial.rungs), self.runs_of(trial)
        is_last = rung == len(trial.kimg) - 1
        kimg = trial.kimg[rung]
        ranked = score_setting(self.context, runs, self.metric, None if is_last else kimg * 0.999)
        others = [other.rungs[rung].value for other in self.trials if len(other.rungs) > rung]
        trial.rungs.append(Rung(kimg, ranked.median, ranked.is_higher_better))
        if is_last:
            trial.end = DONE
        elif not goes_on(trial.rungs[-1].value, others):
            trial.end = STOPPED
            stop_early(self.context, ranked, {run.name: kimg for run in runs})
        self.file.write(self.trials)
        log.info(f"trial {trial.number} of {self.count}: {_describe(ranked, kimg)}, {trial.end or 'goes on'}")


def _describe(setting: RankedSetting, kimg: float) -> str:
    """Describes the result of a rung in words."""
    words = "no score" if setting.median is None else f"{setting.score_name} {setting.median:.4g}"
    return f"{words} at {kimg:.4g} kimg"
