"""The extrapolated Fréchet distance: the line, its error, and the bias that it removes."""

import numpy as np
import pytest
import torch

from metrics.core.statistics import Statistics
from metrics.fid import FrechetDistance
from metrics.fid_infinity import FrechetDistanceInfinity, FrechetDistanceInfinityOptions, intercept_of

WIDTH = 32
TRUTH = Statistics(torch.zeros(WIDTH), torch.eye(WIDTH), count=0)


def scores(vectors: torch.Tensor, seed: int = 0, **options: int) -> dict[str, float]:
    metric = FrechetDistanceInfinity(TRUTH, FrechetDistanceInfinityOptions(**options), seed)
    metric.update(vectors)
    return metric.compute()


def test_intercept_and_its_error_are_those_of_least_squares() -> None:
    x = np.array([1.0, 2.0, 4.0, 5.0, 8.0])
    y = 3 + 2 * x + np.array([0.1, -0.2, 0.3, -0.1, 0.05])
    (slope, intercept), covariance = np.polyfit(x, y, 1, cov=True)
    assert intercept_of(x, y) == pytest.approx((intercept, covariance[1, 1] ** 0.5), rel=1e-10)
    assert slope == pytest.approx(2, abs=0.1)
    assert intercept_of(x, 3 + 2 * x) == pytest.approx((3, 0), abs=1e-12)


def test_extrapolation_removes_the_bias_of_few_samples() -> None:
    """The distance between the distributions is 32 · 0.1² = 0.32."""
    torch.manual_seed(0)
    found, plain = [], []
    for _ in range(5):
        vectors = torch.randn(3000, WIDTH) + 0.1
        metric = FrechetDistance(TRUTH)
        metric.update(vectors)
        plain.append(metric.compute()["fid"])
        found.append(scores(vectors)["fid_infinity"])
    assert np.mean(plain) > 0.38
    assert np.mean(found) == pytest.approx(0.32, abs=0.02)


def test_the_seed_settles_the_subsets() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(1000, WIDTH)
    assert scores(vectors) == scores(vectors)
    assert scores(vectors) != scores(vectors, seed=1)
    metric = FrechetDistanceInfinity(TRUTH)
    metric.update(vectors)
    assert metric.compute() == scores(vectors, seed=0), "the usual seed is 0"
    assert scores(vectors)["standard_error"] > 0
    before = torch.get_rng_state()
    scores(vectors)
    assert torch.equal(torch.get_rng_state(), before), "the metric draws from its own generator"


def test_too_few_samples_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"199 samples, needs at least 200 .*; give it more$"):
        scores(torch.zeros(199, WIDTH), sizes=10)
    with pytest.raises(ValueError, match=r"299 samples, needs at least 300 .*, or .*fid-infinity.sizes=14$"):
        scores(torch.zeros(299, WIDTH))
    with pytest.raises(ValueError, match="9 sizes, a line needs at least 10"):
        scores(torch.zeros(400, WIDTH), sizes=9)


def test_remark_where_the_law_is_no_line() -> None:
    metric = FrechetDistanceInfinity(TRUTH)
    metric.update(torch.zeros(329, WIDTH))
    assert "only 32 samples in the smallest subset" in metric.remarks[0]
    metric.update(torch.zeros(1, WIDTH))
    assert metric.remarks == ()
