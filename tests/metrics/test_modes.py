"""The modes metric on samples whose truth is known."""

import pytest
import torch

from metrics.modes import Modes

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_truth_covers_all_and_three_deviations_hold_their_share() -> None:
    torch.manual_seed(0)
    metric = Modes(CENTRES, sigma=0.5)
    metric.update(CENTRES.repeat(4000, 1) + 0.5 * torch.randn(12000, 2))
    scores = metric.compute()
    assert scores["covered"] == 3
    # In the plane a sample lies within r deviations with probability 1 − exp(−r²/2).
    assert scores["high_quality"] == pytest.approx(1 - 2.718281828 ** (-4.5), abs=0.003)


def test_a_mode_needs_more_than_twenty_of_ten_thousand() -> None:
    for count, covered in ((20, 1), (21, 2)):
        metric = Modes(CENTRES, sigma=0.5)
        metric.update(CENTRES[0].repeat(10000 - count, 1))
        metric.update(CENTRES[1].repeat(count, 1))
        assert metric.compute() == {"covered": covered, "high_quality": 1.0}


def test_samples_between_modes_count_for_none() -> None:
    metric = Modes(CENTRES, sigma=0.5)
    metric.update(torch.full((1000, 2), 5.0))
    assert metric.compute() == {"covered": 0, "high_quality": 0.0}


def test_reset_forgets_and_nothing_is_an_error() -> None:
    metric = Modes(CENTRES, sigma=0.5)
    metric.update(CENTRES)
    metric.reset()
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()
