"""Intervals and tests: against scipy on known data, and against what they promise, in simulations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from experiments.analysis.comparison import terminal_table
from experiments.analysis.comparison.groups import Group
from experiments.analysis.comparison.significance import (
    confidence_interval,
    holm_correction,
    minimum_detectable_effect,
    paired_t_test,
    welch_t_test,
)

SIMULATIONS = 2000
# Sleep gained under two drugs by ten patients (Student 1908), in hours.
ONE = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
OTHER = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_students_own_data():
    # p values as printed in textbooks since.
    assert welch_t_test(ONE, OTHER) == pytest.approx(0.07939, abs=5e-6)
    assert paired_t_test(ONE, OTHER) == pytest.approx(0.002833, abs=5e-7)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_intervals_and_p_values_are_scipys(count):
    random = np.random.default_rng(count)
    ours, theirs = random.normal(size=count), random.normal(1, 3, size=count + 1)
    known = stats.t.interval(0.95, count - 1, ours.mean(), stats.sem(ours))
    assert confidence_interval(ours) == pytest.approx(known, rel=1e-12)
    assert welch_t_test(ours, theirs) == pytest.approx(
        stats.ttest_ind(ours, theirs, equal_var=False).pvalue, rel=1e-9
    )
    assert paired_t_test(ours, theirs[1:]) == pytest.approx(
        stats.ttest_rel(ours, theirs[1:]).pvalue, rel=1e-9
    )


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="no interval"):
        confidence_interval([1.0])


def test_without_any_spread_only_equal_means_are_equal():
    assert welch_t_test([25.0, 25.0], [25.0, 25.0, 25.0]) == 1.0
    assert welch_t_test([25.0, 25.0], [24.0, 24.0]) == 0.0
    assert paired_t_test([1.0, 2.0], [1.0, 2.0]) == 1.0
    assert minimum_detectable_effect([25.0, 25.0], [24.0, 24.0]) == 0.0


def test_holm_by_hand():
    assert holm_correction([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_correction([0.9, 0.8]) == [1.0, 1.0]
    assert holm_correction([]) == []


@pytest.mark.parametrize("count", [5, 10])
def test_the_smallest_difference_is_found_as_often_as_it_says(count):
    random = np.random.default_rng(count)
    ours, theirs = random.normal(size=count), random.normal(size=count)
    shift = minimum_detectable_effect(ours, theirs) / math.hypot(stats.sem(ours), stats.sem(theirs))
    spreads = np.array([np.var(x, ddof=1) / count for x in (ours, theirs)])
    degrees = spreads.sum() ** 2 / (spreads**2 / (count - 1)).sum()
    critical = stats.t.ppf(0.975, degrees)
    power = stats.nct.sf(critical, degrees, shift) + stats.nct.cdf(-critical, degrees, shift)
    assert power == pytest.approx(0.8, abs=2e-4)


def test_more_tests_and_fewer_runs_show_less():
    ours, theirs = (1.0, 2.0, 3.0), (2.0, 3.0, 4.5)
    assert minimum_detectable_effect(ours, theirs, tests=21) > 2 * minimum_detectable_effect(ours, theirs)
    assert minimum_detectable_effect(ours * 4, theirs * 4) < minimum_detectable_effect(ours, theirs) / 2


@pytest.mark.parametrize("count", [3, 5, 10])
def test_equal_settings_are_rarely_called_different_and_intervals_cover(count):
    """Figures that issue from the seed: 3.2 to 4.7 % false alarms, 94.1 to 95.0 % of intervals cover."""
    random = np.random.default_rng(0)
    alarms = covered = 0
    for _ in range(SIMULATIONS):
        ours, theirs = random.normal(30, 2, size=(2, count))
        alarms += welch_t_test(ours, theirs) < 0.05
        low, high = confidence_interval(ours)
        covered += low <= 30 <= high
    assert 0.03 <= alarms / SIMULATIONS <= 0.07, alarms / SIMULATIONS
    assert 0.93 <= covered / SIMULATIONS <= 0.97, covered / SIMULATIONS


def test_three_deviations_are_found_with_five_seeds():
    random = np.random.default_rng(1)
    pairs = (random.normal((30, 36), 2, size=(5, 2)).T for _ in range(SIMULATIONS))
    assert sum(welch_t_test(*pair) < 0.05 for pair in pairs) / SIMULATIONS >= 0.9


def groups_of(scores):
    seeds = tuple(range(len(scores[0])))
    return [
        Group({"loss": f"loss-{index}"}, tuple(map(float, own)), seeds, tuple(map(str, seeds)))
        for index, own in enumerate(sorted(scores, key=np.mean))
    ]


@pytest.mark.long
def test_of_equal_settings_the_seeming_best_is_not_called_better(monkeypatch):
    """The best of seven is chosen from the same scores: corrected for six tests alone it is called better
    than some other in 7 % of such sweeps."""
    monkeypatch.setattr(
        terminal_table, "minimum_detectable_effect", lambda *ignored: 0.0
    )  # slow, and not asked here
    random = np.random.default_rng(2)
    alarms = 0
    for _ in range(SIMULATIONS // 4):
        rows = terminal_table.compare_groups(groups_of(random.normal(size=(7, 5))), higher_is_better=False)
        alarms += any(row.verdict not in (terminal_table.BEST, terminal_table.NO_DIFFERENCE) for row in rows)
    assert alarms / (SIMULATIONS // 4) <= 0.05


def test_only_pairs_with_the_best_would_be_corrected_too_little():
    """What the test above would catch."""
    random = np.random.default_rng(2)
    alarms = 0
    for _ in range(SIMULATIONS // 4):
        scores = sorted(random.normal(size=(7, 5)), key=np.mean)
        alarms += (
            min(
                holm_correction(
                    [welch_t_test(scores[0], other) for other in itertools.islice(scores, 1, None)]
                )
            )
            < 0.05
        )
    assert alarms / (SIMULATIONS // 4) > 0.05
