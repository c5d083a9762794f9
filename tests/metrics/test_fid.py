"""The Fréchet distance as a metric: streaming, meaning, remarks."""

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from metrics.core.statistics import Moments, Statistics
from metrics.fid import FrechetDistance

WIDTH = 16


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def statistics(vectors: Tensor) -> Statistics:
    moments = Moments()
    moments.update(vectors)
    return moments.statistics()


def fid(generated: Tensor, real: Tensor, batch: int = 500) -> float:
    metric = FrechetDistance(statistics(real))
    for part in generated.split(batch):
        metric.update(part)
    return metric.compute()["fid"]


@pytest.mark.parametrize("count", [10, 3000])
def test_batches_and_order_do_not_matter(count: int) -> None:
    real, generated = torch.randn(2000, WIDTH), torch.randn(count, WIDTH) * 1.5 + 1
    expected = fid(generated, real)
    assert fid(generated, real, batch=1) == expected
    assert fid(generated, real, batch=7) == expected
    assert fid(generated[torch.randperm(count)], real) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_torch_fidelity() -> None:
    real, generated = torch.randn(2000, WIDTH).relu(), torch.randn(2000, WIDTH).relu() * 1.1
    theirs = [fid_features_to_statistics(side.double()) for side in (generated, real)]
    expected = fid_statistics_to_metric(*theirs, verbose=False)["frechet_inception_distance"]
    assert fid(generated, real) == pytest.approx(expected, rel=1e-9)


def test_halves_of_one_set_are_near_the_floor_and_noise_moves_away() -> None:
    """For two samples of N(0, 1) in D dimensions the floor is D (D + 5) / 4 · (1 / N₁ + 1 / N₂)."""
    real = torch.randn(4000, WIDTH)
    noise = torch.randn(2000, WIDTH)
    floor = fid(real[:2000], real[2000:])
    assert floor == pytest.approx(WIDTH * (WIDTH + 5) / 4 * (2 / 2000), rel=0.2)
    scores = [fid(real[:2000] + strength * noise, real[2000:]) for strength in (0.25, 0.5, 1.0, 2.0)]
    assert [floor, *scores] == sorted([floor, *scores])
    assert scores[0] > 1.2 * floor


def test_dropped_classes_move_away() -> None:
    centres = 4 * torch.randn(10, WIDTH)
    labels = torch.randint(10, (4000,))
    real = centres[labels] + torch.randn(4000, WIDTH)
    scores = [fid(real[:2000][labels[:2000] < kept], real[2000:]) for kept in (10, 7, 4, 1)]
    assert scores == sorted(scores)


def test_remarks_say_which_side_has_few() -> None:
    metric = FrechetDistance(statistics(torch.randn(10, WIDTH)))
    metric.update(torch.randn(WIDTH, WIDTH))
    assert metric.remarks == (
        "16 features but only 16 samples: biased upwards",
        "16 features but only 10 reference samples: biased upwards",
    )
    enough = FrechetDistance(statistics(torch.randn(17, WIDTH)))
    enough.update(torch.randn(17, WIDTH))
    assert enough.remarks == ()
    unknown = Statistics(torch.zeros(2), torch.eye(2), count=0)
    assert FrechetDistance(unknown).remarks == ("2 features but only 0 samples: biased upwards",)


def test_reset_forgets_the_samples_and_keeps_the_reference() -> None:
    real = torch.randn(500, WIDTH)
    metric = FrechetDistance(statistics(real))
    metric.update(torch.full((50, WIDTH), 9.0))
    metric.reset()
    with pytest.raises(ValueError, match="fid: no samples yet, needs at least 2"):
        metric.compute()
    metric.update(real)
    assert metric.compute()["fid"] < 1e-10
    with pytest.raises(ValueError, match="rows of 3 numbers beside rows of 16"):
        metric.update(torch.zeros(2, 3))
