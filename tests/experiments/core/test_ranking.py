"""Ranking by medians in which a run that did not end is worse than any number: by hand, and as an order."""

import itertools
import math
import sys

import pytest

from experiments.core.ranking import Score, median_score, rank, rank_key, rank_value

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("scores", "of_lower", "of_higher"),
    [
        ((5.0, 6.0, 7.0), 6.0, 6.0),
        ((5.0, 6.0), 5.5, 5.5),
        ((5.0, None, 7.0), 7.0, 5.0),  # the run that did not end is the worst of the three
        ((5.0, NAN, INF), None, None),
        ((5.0, None), None, None),  # a number and none have no mean
        ((5.0, 6.0, 7.0, None), 6.5, 5.5),
        ((5.0, 6.0, None, None), None, None),
        ((-INF, 5.0, 6.0), 6.0, 5.0),  # no number is infinitely good
        ((1.7e308, 1.7e308), 1.7e308, 1.7e308),
        ((), None, None),
    ],
)
def test_medians_by_hand(scores: tuple[Score, ...], of_lower: Score, of_higher: Score) -> None:
    assert median_score(scores, higher_is_better=False) == of_lower
    assert median_score(scores, higher_is_better=True) == of_higher


def test_no_number_is_as_bad_as_none() -> None:
    for up in (False, True):
        for number in (-1e308, 0.0, 1e308):
            assert rank_value(number, up) > rank_value(None, up) == rank_value(NAN, up)
            assert rank_value(number, up) > rank_value(INF, up) == rank_value(-INF, up)


def test_one_good_score_beside_two_runs_that_did_not_end_is_not_the_best() -> None:
    lucky, steady = (5.0, NAN, NAN), (6.0, 6.1, 5.9)
    assert rank([lucky, steady], lambda scores: scores, False) == [steady, lucky]
    assert rank([(9.0, None, None), steady], lambda scores: scores, True)[0] == steady


def test_equal_medians_go_by_the_share_that_ended_then_by_these_then_by_their_order() -> None:
    items = [(None, None), (6.0, None), (NAN, INF), (5.0, None), (5.0, 5.0, None), (5.0, 5.0, 5.0)]
    order = rank(items, lambda scores: scores, False)
    assert order == [(5.0, 5.0, 5.0), (5.0, 5.0, None), (5.0, None), (6.0, None), (None, None), (NAN, INF)]


def test_equal_medians_go_by_the_mean_in_any_order_of_the_runs() -> None:
    better, worse, same = (8.0, 8.0, 8.0), (8.0, 7.0, 8.0), (8.0, 8.0, 7.0)
    assert rank([worse, same, better], lambda scores: scores, True) == [better, worse, same]
    assert rank([better, worse, same], lambda scores: scores, False) == [worse, same, better]
    for own in itertools.permutations((0.1, 0.2, 0.3, 0.7)):
        assert rank_key(own, True) == rank_key((0.1, 0.2, 0.3, 0.7), True)
    largest = sys.float_info.max
    assert rank_key((largest, largest, largest), True)[-1] == pytest.approx(largest / 2)


def test_a_run_that_did_not_end_never_helps() -> None:
    """Of every three runs, one that fails instead of ending makes the median no better."""
    for scores in itertools.product((1.0, 2.0, 3.0, None), repeat=3):
        for index, up in itertools.product(range(3), (False, True)):
            worse = tuple(None if i == index else score for i, score in enumerate(scores))
            values = [rank_value(median_score(own, up), up) for own in (worse, scores)]
            assert values[0] <= values[1]
