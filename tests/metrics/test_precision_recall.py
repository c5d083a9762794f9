"""Precision and recall: cases counted by hand, torch-fidelity, and what the numbers mean."""

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_prc import prc_features_to_metric

from metrics.core import neighbours
from metrics.precision_recall import PrecisionRecall, PrecisionRecallOptions


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def scores(generated: Tensor, real: Tensor, k: int = 3, batch: int = 100) -> tuple[float, float]:
    metric = PrecisionRecall(real, PrecisionRecallOptions(k=k))
    for part in generated.split(batch):
        metric.update(part)
    found = metric.compute()
    return found["precision"], found["recall"]


@pytest.mark.parametrize("width", [2, 200])
@pytest.mark.parametrize("k", [1, 3])
def test_agrees_with_torch_fidelity(width: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "TILE", 64)
    real = torch.randn(310, width).double() * torch.linspace(2, 0.1, width)
    spread = torch.linspace(0.3, 2, 190)[:, None]  # from the middle of the reals to far outside
    generated = spread * torch.randn(190, width).double() * torch.linspace(2, 0.1, width) + 0.05
    theirs = prc_features_to_metric(
        generated, real, prc_neighborhood=k, prc_batch_size=100, save_cpu_ram=False, verbose=False
    )
    found = scores(generated, real, k)
    assert 0 < found[0] < 1
    assert 0 < found[1] < 1
    assert found == pytest.approx((theirs["precision"], theirs["recall"]), rel=1e-6)


@pytest.mark.parametrize(("count", "tile"), [(7, 1000), (130, 64), (129, 64), (128, 64), (5, 2)])
def test_radii_are_distances_to_the_kth_neighbour(
    count: int, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "TILE", tile)
    vectors = torch.randn(count, 6).double()
    expected = torch.cdist(vectors, vectors).kthvalue(4, dim=1).values
    torch.testing.assert_close(neighbours.squared_radii(vectors, 3).sqrt(), expected)


def test_points_on_a_line() -> None:
    """Reals 0, 1, 2, 10 reach 1, 1, 1, 8 with k = 1; samples −3, 0.5, 4 reach 3.5, 3.5, 3.5."""
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    assert scores(torch.tensor([[-3.0], [0.5], [4.0]]), real, k=1) == pytest.approx((2 / 3, 3 / 4))


def test_tight_cluster_is_precise_and_recalls_little() -> None:
    real = torch.randn(1000, 8)
    precision, recall = scores(0.05 * torch.randn(1000, 8), real)
    assert (precision, recall) == (1.0, pytest.approx(0.0, abs=0.01))
    precision, recall = scores(4 * torch.randn(1000, 8), real)
    assert precision < 0.1
    assert recall > 0.8


def test_half_of_the_modes_halves_the_recall() -> None:
    real = torch.randn(1000, 8)
    real[:500] += 100
    precision, recall = scores(torch.randn(1000, 8), real)
    assert precision > 0.7
    assert 0.35 < recall < 0.5


def test_the_same_set_is_all_inside() -> None:
    for real in (torch.randn(500, 200), torch.full((50, 200), 0.1), torch.zeros(50, 3)):
        assert scores(real.clone(), real) == (1.0, 1.0)


def test_near_neighbours_in_the_plane_are_resolved() -> None:
    """Modes 0.001 wide at 100: in float32, |x|² + |y|² − 2xᵀy would round their distances away."""
    modes = torch.tensor([[100.0, 0.0], [-100.0, 0.0]]).repeat(500, 1)  # a common mean cannot be taken off
    real, generated = (modes + 1e-3 * torch.randn(1000, 2) for _ in range(2))
    assert min(scores(generated, real)) > 0.9
    assert scores(generated + 0.02, real) == (0.0, 0.0)


def test_a_common_offset_does_not_matter() -> None:
    """Features of one sign lie far from 0; unless they are centred, float32 loses a part of each distance."""
    real, generated = torch.randn(400, 200), 0.95 * torch.randn(400, 200)
    expected = scores(generated.double(), real.double())
    assert scores(generated + 1000, real + 1000) == pytest.approx(expected, abs=0.006)


def test_batch_size_and_order_do_not_matter() -> None:
    real, generated = torch.randn(400, 200), 0.9 * torch.randn(300, 200)
    expected = scores(generated, real)
    assert scores(generated, real, batch=1) == expected
    assert scores(generated[torch.randperm(300)], real[torch.randperm(400)]) == expected


@pytest.mark.parametrize("count", [1, 2])
def test_a_remedy_is_named_where_there_is_one(count: int) -> None:
    """Two vectors are enough for k = 1, one for none; on either side."""
    metric = PrecisionRecall(torch.zeros(4, 2))
    metric.update(torch.zeros(count, 2))
    for call in (metric.compute, lambda: PrecisionRecall(torch.zeros(count, 2))):
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value).endswith("give it more" if count == 1 else "--set precision-recall.k=1")


def test_too_few_samples_and_unequal_numbers() -> None:
    with pytest.raises(ValueError, match=r"3 samples, needs at least 4 \(reference, k = 3\).*recall.k=2$"):
        PrecisionRecall(torch.zeros(3, 2))
    metric = PrecisionRecall(torch.zeros(4, 2))
    metric.update(torch.zeros(3, 2))
    with pytest.raises(
        ValueError, match=r"3 samples, needs at least 4 \(k = 3\).*--set precision-recall.k=2$"
    ):
        metric.compute()
    assert metric.remarks == ("3 samples beside 4 real ones: better as many of each",)
    metric.update(torch.zeros(1, 2))
    assert metric.remarks == ()
    metric.reset()
    with pytest.raises(ValueError, match="no samples yet"):
        metric.compute()
