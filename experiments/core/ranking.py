"""Ranking by scores, in which a run that did not end is worse than any number.

A run did not end when it failed, diverged or collapsed. Every choice between settings or generators goes
through here: a mean over the scores that are numbers would prefer a setting of which most runs did not end.
Of {5, none, none} and {6, 6.1, 5.9}, where less is better, the second is the better. A run that is merely
not evaluated yet says nothing, and has no place among the scores.
"""

import math
from collections.abc import Callable, Sequence
from statistics import median_high, median_low
from typing import TypeVar

Item = TypeVar("Item")
Score = float | None  # None, as any number that is not finite: of a run that did not end


def rank_value(score: Score, higher_is_better: bool) -> float:
    """Converts a score to a number that is the larger the better; −∞ for a run that did not end."""
    if score is None or not math.isfinite(score):
        return -math.inf
    return score if higher_is_better else -score


def median_score(scores: Sequence[Score], higher_is_better: bool) -> Score:
    """Median of scores over runs; None, worse than any number, where it is of runs that did not end.

    Of an even number of runs it is the mean of the two in the middle. A number and a run that did not end
    have no mean, so that the median is None as soon as half of the runs did not end. None without scores.
    """
    if not scores:
        return None
    values = [rank_value(score, higher_is_better) for score in scores]
    middle = median_low(values) / 2 + median_high(values) / 2  # a sum might be too large for a float
    return None if middle == -math.inf else middle if higher_is_better else -middle


def rank(
    items: Sequence[Item], scores_of: Callable[[Item], Sequence[Score]], higher_is_better: bool
) -> list[Item]:
    """Sorts items, such as settings, by the median of their scores, from the best to the worst.

    Equal medians go by the share of runs that ended, then by the median of these, then by their mean. What is
    still equal is tied and keeps its order, as do items of which no run ended.
    """
    return sorted(items, key=lambda item: rank_key(scores_of(item), higher_is_better), reverse=True)


def rank_key(scores: Sequence[Score], higher_is_better: bool) -> tuple[float, ...]:
    """Numbers that order items by their scores over runs, the larger the better; equal ones are a tie."""
    ended = [score for score in scores if score is not None and math.isfinite(score)]
    of_all, of_ended = (
        rank_value(median_score(own, higher_is_better), higher_is_better) for own in (scores, ended)
    )
    # Half of the mean: a sum might be too large for a float. fsum does not depend on the order of the runs.
    half = math.fsum(score / 2 / len(ended) for score in ended) if ended else None
    return of_all, len(ended) / max(1, len(scores)), of_ended, rank_value(half, higher_is_better)
