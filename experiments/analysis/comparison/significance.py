"""Statistics of few runs: confidence intervals, t tests, their correction, and minimum detectable effects.

All of it assumes that the score of a run with a random seed is about normal. Three values are too few for
anything that assumes less, such as a percentile bootstrap.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]
from scipy.optimize import brentq  # type: ignore[import-untyped]

from experiments.core.bounds import UNBOUNDED, Bounds

LEVEL = 0.95  # of confidence intervals; tests call at most 1 − LEVEL of equal settings different
SURE = 0.01  # p of a difference that is called sure
SPREADS = 4000  # equally likely sample variances over which the power is averaged
POWER = 0.8  # probability of finding a difference as large as the minimum detectable effect
Values = Sequence[float]


def confidence_interval(
    values: Values, level: float = LEVEL, bounds: Bounds = UNBOUNDED
) -> tuple[float, float]:
    """Student's confidence interval of the mean: `m ± t s / √n` with n − 1 degrees of freedom.

    Args:
        bounds: the smallest and largest value that there can be, where the interval ends: the mean lies
            between them, so that it is covered as often. Values beyond them show that they are not.

    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("one value has no spread, so no interval can be given")
    mean, half = float(np.mean(values)), _t(level, len(values) - 1) * _standard_error(values)
    low, high = min(bounds[0], *values), max(bounds[1], *values)
    return max(mean - half, low), min(mean + half, high)


def half_width_in_deviations(count: int, level: float = LEVEL) -> float:
    """Half the width of the interval of so many values, two or more, in standard deviations: `t / √n`."""
    return _t(level, count - 1) / math.sqrt(count)


def welch_t_test(ours: Values, theirs: Values) -> float:
    """p value of Welch's two-sided t test for equal means, whose variances may differ (Welch 1947)."""
    return _p(*_welch_parts(ours, theirs))


def paired_t_test(ours: Values, theirs: Values) -> float:
    """p value of the two-sided paired t test for equal means; the i-th values of both sides are a pair."""
    return _p(*_paired_parts(ours, theirs))


def fisher_exact_test(ours: tuple[int, int], theirs: tuple[int, int]) -> float:
    """p value of Fisher's two-sided exact test for equal shares, of counts with and without a property."""
    return float(stats.fisher_exact([ours, theirs]).pvalue)


def holm_correction(chances: Sequence[float]) -> list[float]:
    """Corrects p values for multiple tests by Holm's method (Holm 1979).

    A corrected p below α is a false alarm with probability α at most, among all tests together: the k-th
    smallest of m p values is multiplied by `m − k + 1`, and none ends below a smaller one's.
    """
    adjusted, highest = [1.0] * len(chances), 0.0
    for rank, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        highest = max(highest, min(1.0, chances[index] * (len(chances) - rank)))
        adjusted[index] = highest
    return adjusted


def minimum_detectable_effect(
    ours: Values, theirs: Values, is_paired: bool = False, tests: int = 1, power: float = POWER
) -> float:
    """Computes the minimum detectable effect: the difference of means that a t test finds with this power.

    The spread is that of the given values.

    Args:
        is_paired: whether the test is the paired one, else Welch's.
        tests: number of tests that are made together; each has to reach 1 / tests of the level.
        power: probability of finding the difference.
    """
    _, error, degrees = (_paired_parts if is_paired else _welch_parts)(ours, theirs)
    if error == 0:
        return 0.0
    thresholds = _thresholds(tests, degrees)

    def missing(shift: float) -> float:
        return _share_found(shift, thresholds) - power

    return float(brentq(missing, 0, thresholds[-1] + 10)) * error


def seeds_to_detect(deviations: float, power: float = POWER, most: int = 10_000) -> int | None:
    """Number of seeds of each of two settings with which a t test finds a difference of their means.

    Scores are normal with one standard deviation, and the test is two-sided at 1 − LEVEL.

    Args:
        deviations: the difference, in standard deviations of the scores between seeds.
        power: probability of finding it.
        most: where the search ends; None is returned for more.
    """

    def finds(count: int) -> bool:
        shift = abs(deviations) * math.sqrt(count / 2)
        return _share_found(shift, _thresholds(1, 2 * count - 2)) >= power

    low, high = 2, 2
    while not finds(high):
        if high >= most:
            return None
        low, high = high + 1, min(2 * high, most)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle + 1, high)
    return high


def _thresholds(tests: int, degrees: float) -> Any:
    """Differences in standard errors from which a test calls, over equally likely spreads.

    The noncentral t, as a mean over equally likely spreads: scipy's own gives NaN for few degrees.
    """
    critical = _t(1 - (1 - LEVEL) / tests, degrees)
    shares = (np.arange(SPREADS) + 0.5) / SPREADS
    return critical * np.sqrt(stats.chi2.ppf(shares, degrees) / degrees)


def _share_found(shift: float, thresholds: Any) -> float:
    """Share of tests that find a difference of `shift` standard errors."""
    found = stats.norm.cdf(shift - thresholds) + stats.norm.cdf(-shift - thresholds)
    return float(found.mean())


def testable_pairs(scores: Sequence[Values], is_paired: bool = False) -> list[tuple[int, int]]:
    """Pairs of groups that can be tested: several values on each side, and a spread or equal means.

    Counts of a few things are often equal for all seeds. A t test calls any two such groups different,
    with certainty, which two or three seeds do not show.
    """

    def spreads(ours: Values, theirs: Values) -> bool:
        if is_paired:
            return len({a - b for a, b in zip(ours, theirs, strict=True)}) > 1
        return len({*ours}) > 1 or len({*theirs}) > 1

    several = [index for index, own in enumerate(scores) if len(own) > 1]
    return [
        (i, j)
        for i, j in combinations(several, 2)
        if spreads(scores[i], scores[j]) or np.mean(scores[i]) == np.mean(scores[j])
    ]


def _standard_error(values: Values) -> float:
    """Standard error of the mean, `s / √n`."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def _welch_parts(ours: Values, theirs: Values) -> tuple[float, float, float]:
    """Difference of means, its standard error, and Satterthwaite's degrees of freedom."""
    difference = float(np.mean(ours) - np.mean(theirs))
    parts = [(_standard_error(values) ** 2, len(values) - 1) for values in (ours, theirs)]
    total = sum(part for part, _ in parts)
    if total == 0:
        return difference, 0.0, float(len(ours) + len(theirs) - 2)
    return difference, math.sqrt(total), total**2 / sum(part**2 / n for part, n in parts)


def _paired_parts(ours: Values, theirs: Values) -> tuple[float, float, float]:
    """Mean of the pairs' differences, its standard error, and the degrees of freedom."""
    differences = np.subtract(ours, theirs)
    return float(differences.mean()), _standard_error(differences), len(differences) - 1.0  # type: ignore[arg-type]


def _p(difference: float, error: float, degrees: float) -> float:
    """p value of a two-sided t test; without any spread, 1 for equal means and else 0."""
    if error == 0:
        return float(difference == 0)
    return float(2 * stats.t.sf(abs(difference) / error, degrees))


def _t(level: float, degrees: float) -> float:
    """Quantile of Student's t distribution at the end of a two-sided interval of this level."""
    return float(stats.t.ppf((1 + level) / 2, degrees))
