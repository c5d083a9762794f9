"""Copies of vectors lie in the balls that these vectors measure, however products of matrices round."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from metrics.core import neighbours
from metrics.density_coverage import DensityCoverage, DensityCoverageOptions
from metrics.precision_recall import PrecisionRecall

K = 3


def defined(real: NDArray[np.float64], generated: NDArray[np.float64]) -> dict[str, float]:
    """The four scores by their definitions, from differences in float64."""

    def between(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.square(other - row).sum(axis=1) for row in one])

    def radii(own: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sort(between(own, own) + np.diag([np.inf] * len(own)), axis=1)[:, K - 1]

    distances = between(real, generated)
    in_real = distances <= radii(real)[:, None] * (1 + 1e-12)
    return {
        "precision": in_real.any(axis=0).mean(),
        "recall": (distances <= radii(generated) * (1 + 1e-12)).any(axis=1).mean(),
        "density": in_real.sum() / (K * len(generated)),
        "coverage": in_real.any(axis=1).mean(),
    }


def scores(real: NDArray[np.float32], generated: NDArray[np.float32]) -> dict[str, float]:
    found = {}
    sides = torch.from_numpy(real), torch.from_numpy(generated)
    for metric in (PrecisionRecall(sides[0]), DensityCoverage(sides[0], DensityCoverageOptions(K))):
        metric.update(sides[1])
        found |= metric.compute()
    return found


def features(count: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.abs(np.random.default_rng(seed).normal(size=(count, width))).astype(np.float32)


@pytest.mark.parametrize("tile", [1000, 64])
@pytest.mark.parametrize("width", [4, 300])
def test_half_of_the_training_images(width: int, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that knows by heart: each sample is the k-th neighbour of some real vector."""
    monkeypatch.setattr(neighbours, "TILE", tile)
    real = features(400, width)
    found = scores(real, real[:200].copy())
    assert found == pytest.approx(defined(real.astype(float), real[:200].astype(float)), abs=1e-12)


@pytest.mark.parametrize("width", [4, 300])
def test_each_real_vector_several_times(width: int) -> None:
    """Radii are 0 where a vector has more copies than k."""
    real = np.repeat(features(20, width), 5, axis=0)
    assert scores(real, real.copy()) == {"precision": 1, "recall": 1, "density": 5 / 3, "coverage": 1}
    found = scores(real, real[:40].copy())
    assert found == pytest.approx({"precision": 1, "recall": 0.4, "density": 5 / 3, "coverage": 0.4})


@pytest.mark.parametrize("width", [4, 300])
def test_beside_a_vector_that_lies_far_off(width: int) -> None:
    """It widens what rounding may decide in all products with it, and decides nothing."""
    real, generated = features(300, width), features(150, width, 1)
    generated[:100] = real[:100]
    generated[149] = 1e4
    found = scores(real, generated)
    assert found == pytest.approx(defined(real.astype(float), generated.astype(float)), abs=1e-12)


def test_one_vector_alone() -> None:
    """More copies than are looked at one by one."""
    same = np.full((300, 200), 0.1, np.float32)
    assert scores(same, same.copy()) == {"precision": 1, "recall": 1, "density": 300 / K, "coverage": 1}
