"""Nearness to training data: closed forms, exactness where differences cancel, and what C_T and p mean."""

import math

import pytest
import torch

from metrics.core.memorization import (
    authentic,
    copying_score,
    exchange_probability,
    nearest,
    ranks_among,
    ratio,
)
from metrics.vendi import Vendi


def test_a_copy_is_at_distance_nought_far_from_the_origin() -> None:
    """In float32 the expansion of the square would leave about 1."""
    training = 1000 + torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    distances, indices = nearest(training[7:9], training, 2)
    assert distances[:, 0].tolist() == [0.0, 0.0] and indices[:, 0].tolist() == [7, 8]
    expected = torch.cdist(training.double(), training.double()).sort(dim=1).values[7:9, 1]
    torch.testing.assert_close(distances[:, 1], expected, rtol=1e-12, atol=0)


def test_authenticity_is_the_definition() -> None:
    random = torch.Generator().manual_seed(1)
    training, samples = (torch.randn(count, 3, generator=random).double() for count in (40, 60))
    own = torch.cdist(training, training).fill_diagonal_(math.inf).amin(dim=1)
    distances, index = torch.cdist(samples, training).min(dim=1)
    assert torch.equal(authentic(samples, training), distances > own[index])
    assert not authentic(training, training).any()


def test_ratios_of_nothing() -> None:
    first, second = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 2.0, 4.0])
    assert ratio(first, second).tolist() == [1.0, 0.0, 0.25]


def test_copying_score_is_scipys_mann_whitney() -> None:
    """Without ties and continuity correction, in each cell, weighted by the held-out samples in it."""
    from scipy.stats import mannwhitneyu

    random = torch.Generator().manual_seed(2)
    values, others = torch.rand(80, generator=random), torch.rand(60, generator=random) + 0.1
    cells, other_cells = torch.arange(80) % 2, torch.arange(60) % 3 // 2
    ranks = ranks_among(values, cells, others, other_cells)
    counts, sums = (torch.zeros(2, dtype=torch.float64) for _ in range(2))
    counts.index_add_(0, cells, torch.ones(80, dtype=torch.float64))
    sums.index_add_(0, cells, ranks)
    found = copying_score(counts[None], sums[None], other_cells.bincount())
    expected = []
    for cell in (0, 1):
        x, y = values[cells == cell], others[other_cells == cell]
        u = mannwhitneyu(x.numpy(), y.numpy(), use_continuity=False).statistic
        expected.append((u - len(x) * len(y) / 2) / math.sqrt(len(x) * len(y) * (len(x) + len(y) + 1) / 12))
    assert found.item() == pytest.approx((40 * expected[0] + 20 * expected[1]) / 60, rel=1e-12)
    assert found.item() < 0


def test_ties_count_a_half() -> None:
    zero = torch.zeros(2, dtype=torch.long)
    assert ranks_among(torch.tensor([1.0, 2.0]), zero, torch.tensor([1.0, 0.0]), zero).tolist() == [1.5, 2.0]


@pytest.mark.parametrize("width", [3, 300])
def test_nearest_are_those_of_all_differences(width: int) -> None:
    """Far from the origin, where float32 alone takes near neighbours for equal: five are 1e-4 apart."""
    random = torch.Generator().manual_seed(width)
    reference = torch.randn(500, width, generator=random, dtype=torch.float64)
    step = torch.nn.functional.normalize(torch.ones(width, dtype=torch.float64), dim=0)
    reference[:5] = 40 * step + 1e-4 * torch.arange(1, 6)[:, None] * step
    vectors = torch.cat([40 * step[None], reference[7:8], torch.randn(50, width, generator=random).double()])
    differences = (vectors[:, None] - reference).norm(dim=2)
    expected = differences.topk(2, largest=False)
    distances, indices = nearest(vectors, reference, 2)
    assert torch.equal(indices, expected.indices)
    assert torch.allclose(distances, expected.values, rtol=1e-9)
    assert distances[1, 0] == 0 and indices[0].tolist() == [0, 1]


def test_neighbours_that_float32_cannot_tell_apart() -> None:
    """Clusters whose width is less than what it leaves of the product, each of more than the candidates."""
    random = torch.Generator().manual_seed(0)
    centres = torch.randn(5, 200, generator=random, dtype=torch.float64).repeat_interleave(60, dim=0)
    reference = centres + 1e-4 * torch.randn(300, 200, generator=random, dtype=torch.float64)
    fresh = centres + 1e-4 * torch.randn(300, 200, generator=random, dtype=torch.float64)
    assert (nearest(reference, reference)[0] == 0).all(), "copies"
    expected = (fresh[:, None] - reference).norm(dim=2).topk(2, largest=False)
    distances, indices = nearest(fresh, reference, 2)
    assert torch.equal(indices, expected.indices)
    assert torch.allclose(distances, expected.values, rtol=1e-9)


def test_exchange_is_fair_whatever_the_weights_are() -> None:
    """Of random labels as the true ones, a twentieth has a probability of at most a twentieth."""
    random = torch.Generator().manual_seed(3)
    weights = torch.rand(1, 40, generator=random) ** 6  # few of the points bear all
    labellings = torch.stack([torch.randperm(40, generator=random) < 30 for _ in range(400)])
    found = torch.cat([exchange_probability(weights, labels, labellings) for labels in labellings])
    assert 0.03 < (found <= 0.05).double().mean() < 0.07
    assert exchange_probability(weights, torch.ones(40, dtype=torch.bool), labellings) < 0.01


def test_vendi_counts_directions() -> None:
    metric = Vendi()
    metric.update(torch.eye(5).double().repeat(3, 1) * torch.arange(1, 16)[:, None])
    assert metric.compute()["vendi"] == pytest.approx(5, rel=1e-12)
    metric.reset()
    metric.update(torch.ones(9, 5))
    assert metric.compute()["vendi"] == pytest.approx(1, rel=1e-12)
    shares = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    metric.reset()
    metric.update(torch.eye(3)[[0, 0, 1, 2]])
    assert metric.compute()["vendi"] == pytest.approx(math.exp(-(shares * shares.log()).sum()), rel=1e-12)
    with pytest.raises(ValueError, match="no direction"):
        metric.update(torch.zeros(1, 3))
        metric.compute()
