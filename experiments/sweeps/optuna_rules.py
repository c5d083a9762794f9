"""Optuna's rules for a search: which settings to try next, and which trials go on.

Both are functions of what is known, and no state of Optuna's is kept: equal trials give equal answers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.seeds import derive_seed
from experiments.sweeps.search_space import Sweep

DRAWS_FIRST = 10  # trials that are drawn at random before TPE chooses: Optuna's n_startup_trials
TPE_ATTEMPTS, ATTEMPTS = 4, 100  # to find a setting that was not tried yet; the later ones are drawn
REDUCTION = 2  # of the trials that reach a rung one half goes on, as in successive halving


@dataclass(frozen=True)
class KnownTrial:
    """Settings of a trial, and what is known of them.

    Attributes:
        settings: its own settings.
        values: a number for each rung that it has ended, the larger the better; −∞ for one that failed,
            diverged or collapsed.
        is_whole: whether the last of them is of a whole run.
        is_ended: whether nothing more will become known.
    """

    settings: SettingValues
    values: Sequence[float] = field(default_factory=tuple)
    is_whole: bool = False
    is_ended: bool = False


def import_optuna(why: str) -> Any:
    """Imports Optuna, which says nothing but warnings. Raises UsageError without it.

    Args:
        why: the flag that needs it.
    """
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f'{why} needs the package optuna; get it with: pip install "gans[optuna]"'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def propose_settings(sweep: Sweep, trials: Sequence[KnownTrial]) -> SettingValues | None:
    """Proposes the settings of the next trial by TPE (Bergstra et al. 2011); None where all were tried.

    The first ones are the draws of a random search. A trial that failed counts as the worst; of those that
    were stopped early, one that came further counts more. Trials at work are kept away from.
    """
    number, tried = len(trials), {sweep.name_of(trial.settings) for trial in trials}
    is_drawn = number < DRAWS_FIRST or not any(trial.is_ended for trial in trials)
    for attempt in range(ATTEMPTS):
        if is_drawn or attempt >= TPE_ATTEMPTS:
            settings = sweep.draw(number, attempt)
        else:
            settings = _ask_tpe(sweep, trials, derive_seed(sweep.seeds[0], "tpe", number, attempt))
        if sweep.name_of(settings) not in tried:
            return settings
    return None


def _ask_tpe(sweep: Sweep, trials: Sequence[KnownTrial], seed: int) -> SettingValues:
    """Asks Optuna's TPE for settings, after these trials."""
    optuna = import_optuna("--search tpe")
    distributions = _distributions(sweep)
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=1)
    study = optuna.create_study(sampler=sampler)
    study.add_trials([_frozen_trial(optuna, sweep, trial, distributions) for trial in trials])
    asked = study.ask(distributions).params
    chosen = {name: values[asked.get(name, 0)] for name, values in sweep.choices.items()}
    return chosen | {name: own.round(asked[name]) for name, own in sweep.ranges.items()}


def _distributions(sweep: Sweep) -> dict[str, Any]:
    """Optuna's distributions of a search space; values of choices are known by their index."""
    optuna = import_optuna("--search tpe")
    found = {
        name: optuna.distributions.CategoricalDistribution(tuple(range(len(values))))
        for name, values in sweep.choices.items()
        if len(values) > 1
    }
    for name, own in sweep.ranges.items():
        kind = "IntDistribution" if own.is_whole else "FloatDistribution"
        found[name] = getattr(optuna.distributions, kind)(own.low, own.high, log=own.is_log)
    return found


def _frozen_trial(optuna: Any, sweep: Sweep, trial: KnownTrial, distributions: Mapping[str, Any]) -> Any:
    """Optuna's record of a trial; Optuna minimizes."""
    params: dict[str, Any] = {}
    for name in distributions:
        value = trial.settings[name]
        if name in sweep.ranges:  # whose ends may have more digits than the numbers in it
            params[name] = min(max(value, sweep.ranges[name].low), sweep.ranges[name].high)
        else:
            params[name] = list(sweep.choices[name]).index(value)
    states = optuna.trial.TrialState
    state, results = states.RUNNING, dict[str, Any]()
    if trial.is_ended and trial.is_whole and trial.values[-1] != -math.inf:
        state, results = states.COMPLETE, {"value": -trial.values[-1]}
    elif trial.is_ended:
        # TPE has whole trials before pruned ones, these by how far they came, and last those without values.
        has_failed = -math.inf in trial.values[-1:]
        values = {} if has_failed else dict(enumerate((-value for value in trial.values), 1))
        state, results = states.PRUNED, {"intermediate_values": values}
    return optuna.trial.create_trial(state=state, params=params, distributions=dict(distributions), **results)


def goes_on(value: float, others: Sequence[float]) -> bool:
    """Whether a trial goes on after a rung, by asynchronous successive halving (Li et al. 2020).

    It does if it is in the better half of the trials that have ended this rung, itself included, and the
    first one in any case. One that failed does not.

    Args:
        value: its number, the larger the better.
        others: those of the others that have ended this rung.
    """
    if value == -math.inf:
        return False
    optuna = import_optuna("--halving asynchronous")
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    study = optuna.create_study(pruner=pruner, direction="maximize")
    is_pruned = False
    for each in [*others, value]:
        trial = study.ask()
        trial.report(each, 1)
        is_pruned = trial.should_prune()
    return not is_pruned
