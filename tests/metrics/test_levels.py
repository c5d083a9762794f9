"""Levels of metrics: what real samples score is what the metric says that they would."""

import math

import pytest
import torch

from metrics.class_modes import ClassModes, ClassModesOptions
from metrics.core.level import EvaluatedData, expected_modes
from metrics.density_coverage import DensityCoverage, DensityCoverageOptions
from metrics.modes import Modes, ModesOptions
from metrics.precision_recall import PrecisionRecall, PrecisionRecallOptions
from metrics.stacked_mnist import StackedMnist

RING = torch.stack([torch.tensor([math.cos(a), math.sin(a)]) for a in torch.arange(8) * math.pi / 4])


@pytest.mark.parametrize("options", [ModesOptions(), ModesOptions(radius=1.0, share=0.05)])
def test_points_of_the_mixture_itself(options: ModesOptions) -> None:
    """Within one deviation 1 − e^(−1/2) = 0.39 of a Gaussian in the plane, a 0.049th of each of eight."""
    torch.manual_seed(0)
    found: dict[str, list[float]] = {"covered": [], "high_quality": [], "kl": []}
    for _ in range(50):
        metric = Modes(RING, 0.01, options)
        metric.update(RING[torch.randint(8, (400,))] + 0.01 * torch.randn(400, 2))
        for name, value in metric.compute().items():
            found[name].append(value)
    data = EvaluatedData(400, 1000, 8, options)
    for name, tolerance in (("covered", 0.4), ("high_quality", 0.01), ("kl", 0.003)):
        mean = sum(found[name]) / len(found[name])
        assert mean == pytest.approx(Modes.levels[name].of_real_data(data), abs=tolerance), name


@pytest.mark.parametrize("count", [50, 2000])
def test_classes_of_real_samples(count: int) -> None:
    """Few samples cannot cover a hundred classes, and nobody is blamed for that."""
    torch.manual_seed(0)
    metric = ClassModes(torch.ones(100))
    metric.update(torch.eye(100)[torch.randint(100, (count,))])
    data = EvaluatedData(count, count, 100, ClassModesOptions())
    assert metric.compute()["covered"] == pytest.approx(
        ClassModes.levels["covered"].of_real_data(data), abs=8
    )
    stacked = StackedMnist()
    stacked.update(torch.eye(10)[torch.randint(10, (count, 2))])
    scores = stacked.compute()
    assert scores["covered"] == pytest.approx(StackedMnist.levels["covered"].of_real_data(data), abs=8)


def test_a_hundred_classes_of_which_half_a_sample_each() -> None:
    assert expected_modes(EvaluatedData(50, None, 100)) == pytest.approx(100 * (1 - 0.99**50))
    assert expected_modes(EvaluatedData(50, None, None)) is None
    assert expected_modes(EvaluatedData(None, None, 100)) == 100
    # More than a tenth of 20 samples are three: 1 − P(0, 1 or 2 of 20 at a half), for both of two modes.
    assert expected_modes(EvaluatedData(20, None, 2), share=0.1) == pytest.approx(2 * (1 - 211 / 2**20))


@pytest.mark.parametrize("count", [200, 600])
def test_vectors_of_the_data_itself(count: int) -> None:
    """Coverage has a closed form; precision and recall are near 1 − e⁻ᵏ in any number of dimensions."""
    torch.manual_seed(0)
    for width in (2, 16):
        metric = DensityCoverage(torch.randn(400, width))
        metric.update(torch.randn(count, width))
        scores, data = metric.compute(), EvaluatedData(count, 400, None, DensityCoverageOptions())
        levels = DensityCoverage.levels
        assert scores["density"] == pytest.approx(levels["density"].of_real_data(data), abs=0.15)
        assert scores["coverage"] == pytest.approx(levels["coverage"].of_real_data(data), abs=0.05)
    other = PrecisionRecall(torch.randn(count, 8))
    other.update(torch.randn(count, 8))
    data = EvaluatedData(count, count, None, PrecisionRecallOptions())
    for name, value in other.compute().items():
        assert value == pytest.approx(PrecisionRecall.levels[name].of_real_data(data), abs=0.2)


@pytest.mark.parametrize("modes", [1, 2, 3, 10])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.34, 0.5, 0.9])
def test_modes_above_a_share_are_binomial(modes: int, share: float) -> None:
    """K P(X > s N), summed term by term in whole numbers."""
    count, most = 40, math.floor(share * 40)
    ways = sum(math.comb(count, k) * (modes - 1) ** (count - k) for k in range(most + 1))
    expected = modes * (1 - ways / modes**count)
    found = expected_modes(EvaluatedData(count=count, modes=modes), share)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_modes_of_a_billion_samples_take_no_time() -> None:
    """The share of two modes is a half give or take 3 · 10⁻⁵: a mode is above it as often as below."""
    data = EvaluatedData(count=10**9, modes=2)
    assert expected_modes(data, 0.5) == pytest.approx(1, abs=1e-3)
    assert (expected_modes(data, 0.49), expected_modes(data, 0.51)) == (2.0, pytest.approx(0.0, abs=1e-9))
