"""Level of a score: the value that real data has, and how much less of it tells of a fault."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class EvaluatedData:
    """Data of an evaluation, as far as the scores of real samples depend on it.

    Attributes:
        count: number of samples that were scored; None where nobody knows it, which counts as endless.
        real_count: number of real samples that they were compared with; None likewise.
        modes: number of modes or classes of the data, taken as equally frequent; None where it is unknown.
        options: the metric's options, an instance of its `options_type`; None for a metric without.
    """

    count: int | None = None
    real_count: int | None = None
    modes: int | None = None
    options: Any = None


@dataclass(frozen=True)
class Level:
    """Threshold of a score for `gans doctor`: the least share of real data's score that is not a fault.

    The share is 1 at the score of real data and 0 at the worse end of the score's range. A score whose
    range has no worse end, and of which less is better, is a divergence d in nats: its share is
    `exp(d(real) − d)`, which of K equally frequent classes is the share of those that are left.

    Attributes:
        of_real_data: computes the score that as many other samples of the data itself would have, in
            expectation; None where nobody knows it.
        shows: what a low score says of samples: that they are unlike the data, or that they lack parts of it.
        least: least share of it, in [0, 1], at which nothing is wrong.
    """

    of_real_data: Callable[[EvaluatedData], float | None]
    shows: Literal["fidelity", "diversity"]
    least: float


def expected_modes(data: EvaluatedData, share: float = 0.0, hit: float = 1.0) -> float | None:
    """Expected number of modes of which real samples have more than a share; None for unknown modes.

    Args:
        share: share of all samples that a covered mode exceeds.
        hit: probability that a sample counts for its mode.

    >>> from metrics.core.level import EvaluatedData, expected_modes
    >>> round(expected_modes(EvaluatedData(count=10, modes=10)), 3)  # 10 (1 − 0.9¹⁰)
    6.513
    """
    if data.modes is None:
        return None
    each = hit / data.modes
    if data.count is None:
        return float(data.modes) if each > share else 0.0
    return data.modes * (1 - _binomial_at_most(math.floor(share * data.count), data.count, each))


def expected_divergence(data: EvaluatedData) -> float:
    """Expected KL divergence in nats of the modes of real samples from the truth, `(K − 1) / 2N`.

    It is that of few modes K beside the number of samples N (Miller 1955), and 0 where either is unknown.

    >>> from metrics.core.level import EvaluatedData, expected_divergence
    >>> expected_divergence(EvaluatedData(count=35, modes=8))
    0.1
    """
    return 0.0 if data.modes is None or not data.count else (data.modes - 1) / (2 * data.count)


NEGLIGIBLE = 1e-17  # share of a sum that no float shows


def _binomial_at_most(most: int, count: int, probability: float) -> float:
    """Probability of at most so many hits among `count`: a sum over the tail that begins there.

    Its terms fall away from the mean, so that about as many as the square root of `count` matter.
    """
    if probability >= 1 or most >= count:
        return float(most >= count)
    is_lower = most < count * probability
    k = most if is_lower else most + 1
    ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
    term = math.exp(ways + k * math.log(probability) + (count - k) * math.log1p(-probability))
    odds, total = probability / (1 - probability), 0.0
    while term > NEGLIGIBLE * total and 0 <= k <= count:
        total += term
        term *= k / ((count - k + 1) * odds) if is_lower else (count - k) * odds / (k + 1)
        k += -1 if is_lower else 1
    return min(1.0, total) if is_lower else max(0.0, 1 - total)
