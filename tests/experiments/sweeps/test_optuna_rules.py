"""What TPE tries next, and which trials go on: functions of the trials so far."""

import math
import sys
from statistics import fmean

import pytest

from experiments.core.errors import UsageError
from experiments.sweeps.optuna_rules import DRAWS_FIRST, KnownTrial, goes_on, propose_settings
from experiments.sweeps.search_space import Range, Sweep

pytest.importorskip("optuna", reason="the extra [optuna] is not installed")
LOST = -math.inf
RATES = Sweep({}, [3], {"lr_generator": Range(1e-6, 1e-2)}, 40, is_tpe=True)


def distance(settings, best):
    return abs(math.log10(settings["lr_generator"] / best))


def searched(sweep, count, value_of):
    """Trials of a search in which each has its value at once."""
    trials = []
    while len(trials) < count:
        settings = propose_settings(sweep, trials)
        trials.append(KnownTrial(settings, [value_of(settings)], True, True))
    return trials


def test_the_first_trials_are_those_of_a_random_search():
    trials = searched(RATES, DRAWS_FIRST, lambda settings: 0.0)
    assert [trial.settings for trial in trials] == [RATES.draw(number) for number in range(DRAWS_FIRST)]
    later = propose_settings(RATES, trials)
    assert later != RATES.draw(DRAWS_FIRST) and later == propose_settings(RATES, list(trials))


@pytest.mark.parametrize("best", [1e-5, 1e-3])
def test_later_trials_come_near_to_the_best(best):
    """At random, half of them would be within a decade. The larger value is the better one."""
    trials = searched(RATES, 30, lambda settings: -distance(settings, best))
    assert sum(distance(trial.settings, best) < 1 for trial in trials[-15:]) >= 10


def test_what_failed_is_the_worst_and_is_kept_away_from():
    """Half of the space fails. Of the other half all are equally good."""
    trials = searched(RATES, 40, lambda s: LOST if s["lr_generator"] > 1e-4 else -1.0)
    failed = [trial.values[0] == LOST for trial in trials]
    assert sum(failed[:DRAWS_FIRST]) >= 3 and sum(failed[-20:]) <= 3


def test_a_failure_after_a_good_rung_is_worse_than_a_trial_that_was_stopped():
    """Those at 1e-3 do well at first, and then fail; those at 1e-5 are mediocre, and stopped."""
    drawn = [RATES.draw(number)["lr_generator"] for number in range(60)]
    known = [
        KnownTrial({"lr_generator": rate}, [-1.0, LOST] if rate > 1e-4 else [-5.0], False, True)
        for rate in drawn
    ]
    proposed = [propose_settings(RATES, known[:number])["lr_generator"] for number in range(20, 60, 4)]
    assert sum(rate < 1e-4 for rate in proposed) >= 8


def test_choices_are_tried_by_their_own_values_and_whole_numbers_are_whole():
    choices = {"betas": [(0.0, 0.9), (0.5, 0.999)], "loss": ["bce"]}
    sweep = Sweep(choices, [0], {"width": Range(4, 64, is_whole=True)}, 20, is_tpe=True)
    good = (0.5, 0.999)
    trials = searched(sweep, 25, lambda s: s["width"] + 100 * (s["betas"] == good))
    assert all(type(trial.settings["width"]) is int and trial.settings["loss"] == "bce" for trial in trials)
    late = [trial.settings for trial in trials[-8:]]
    assert sum(settings["betas"] == good for settings in late) >= 6
    assert fmean(settings["width"] for settings in late) > 40


def test_nothing_is_tried_twice_and_a_small_space_ends():
    sweep = Sweep({"loss": ["bce", "hinge", "lsgan"], "width": [8, 16, 32, 64]}, [0], {}, 99, is_tpe=True)
    trials = []
    while settings := propose_settings(sweep, trials):
        trials.append(KnownTrial(settings, [float(settings["width"])], True, True))
    assert len({sweep.name_of(trial.settings) for trial in trials}) == len(trials) == 12


@pytest.mark.parametrize(
    ("value", "others", "expected"),
    [
        (3.0, [], True),  # the first goes on
        (3.0, [4.0], False),
        (5.0, [4.0], True),
        (4.5, [4.0, 5.0], False),  # of three, one goes on
        (4.5, [4.0, 5.0, 3.0], True),  # of four, two
        (4.0, [4.0], True),
        (LOST, [], False),
        (LOST, [LOST, LOST], False),
        (-9.0, [LOST], True),
    ],
)
def test_the_better_half_goes_on(value, others, expected):
    assert goes_on(value, others) is expected
    assert goes_on(value, others[::-1]) is expected


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("--search tpe --trials 12 --log-uniform lr_generator=1e-4:1e-2", "--search tpe"),
        ("--loss bce,hinge --early-stop kl --halving asynchronous", "--halving asynchronous"),
    ],
)
def test_without_optuna(gans, monkeypatch, words, flag):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match="needs the package optuna"):
        goes_on(1.0, [])
    outcome = gans(f"sweep --arch mlp --data ring8 --steps 2 {words}")
    remedy = f'gans: {flag} needs the package optuna; get it with: pip install "gans[optuna]"\n'
    assert (outcome.status, outcome.err) == (2, remedy)
    assert gans("sweep --arch mlp --data ring8 --steps 2 --early-stop kl --dry-run").status == 0
