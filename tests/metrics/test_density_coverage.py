"""Density and coverage: counted by hand, their expectations, and an outlier that does not fool them."""

import math

import pytest
import torch
from torch import Tensor

from metrics.core import neighbours
from metrics.density_coverage import DensityCoverage, DensityCoverageOptions
from metrics.precision_recall import PrecisionRecall


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def scores(generated: Tensor, real: Tensor, k: int = 5) -> tuple[float, float]:
    metric = DensityCoverage(real, DensityCoverageOptions(k=k))
    metric.update(generated)
    found = metric.compute()
    return found["density"], found["coverage"]


def test_points_on_a_line() -> None:
    """Balls [−1, 1], [0, 2], [1, 3], [2, 18]: −3 is in none, 0.5 in two, 4 in one."""
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    assert scores(torch.tensor([[-3.0], [0.5], [4.0]]), real, k=1) == (1.0, 0.75)


def test_agrees_with_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "TILE", 64)
    real, generated = torch.randn(150, 200).double(), 0.9 * torch.randn(170, 200).double()
    radii = torch.cdist(real, real).kthvalue(6, dim=1).values
    inside = torch.cdist(generated, real) <= radii
    expected = (inside.sum().item() / (5 * 170), inside.any(dim=0).double().mean().item())
    assert scores(generated, real) == pytest.approx(expected, rel=1e-12)


def test_expectations_for_equal_distributions() -> None:
    """Density 1; coverage 1 − Π (M − i) / (2M − i) for i = 1…k (Naeem et al. 2020, section 3.3)."""
    count, k = 400, 5
    found = torch.tensor([scores(torch.randn(count, 4), torch.randn(count, 4), k) for _ in range(10)])
    missed = math.prod((count - i) / (2 * count - i) for i in range(1, k + 1))
    assert found[:, 0].mean().item() == pytest.approx(1, abs=0.03)
    assert found[:, 1].mean().item() == pytest.approx(1 - missed, abs=0.01)


def test_one_outlier_lifts_precision_but_not_density() -> None:
    """Figure 3 of the paper: a far real point has a huge ball."""
    real, generated = torch.randn(300, 4), torch.randn(300, 4) + 8
    real[0] = 12
    metric = PrecisionRecall(real)
    metric.update(generated)
    assert metric.compute()["precision"] > 0.9
    density, coverage = scores(generated, real)
    assert density < 0.3
    assert coverage < 0.05


def test_tight_cluster_is_dense_and_covers_little() -> None:
    density, coverage = scores(0.01 * torch.randn(500, 8), torch.randn(500, 8))
    assert density > 1.5
    assert coverage < 0.5


def test_too_few_samples() -> None:
    with pytest.raises(
        ValueError, match=r"5 samples, needs at least 6 \(reference, k = 5\).*density-coverage.k=4$"
    ):
        DensityCoverage(torch.zeros(5, 2))
    metric = DensityCoverage(torch.zeros(6, 2))
    with pytest.raises(ValueError, match="no samples yet"):
        metric.compute()
    metric.update(torch.zeros(1, 2))
    assert metric.compute() == {"density": 6 / 5, "coverage": 1.0}
    assert "coverage falls short" in metric.remarks[0]
    metric.update(torch.zeros(5, 2))
    assert metric.remarks == (), "as many as real ones"


@pytest.mark.parametrize("count", [1, 2])
def test_a_remedy_is_named_where_there_is_one(count: int) -> None:
    """Two vectors are enough for k = 1, one for none."""
    with pytest.raises(ValueError) as caught:
        DensityCoverage(torch.zeros(count, 2))
    assert str(caught.value).endswith("give it more" if count == 1 else "--set density-coverage.k=1")
    if count == 2:
        DensityCoverage(torch.zeros(2, 2), DensityCoverageOptions(k=1))
