"""The modes metric on samples whose truth is known."""

import math

import pytest
import torch

from metrics.modes import Modes, ModesOptions

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
        scores = metric.compute()
        assert (scores["covered"], scores["high_quality"]) == (covered, 1.0)


def test_radius_and_share_are_options() -> None:
    samples = torch.cat([CENTRES[:1].repeat(9, 1), CENTRES[1:2] + torch.tensor([[2.0, 0.0]])])
    for options, expected in (
        (ModesOptions(radius=3.9), (1, 0.9)),
        (ModesOptions(radius=4.0), (2, 1.0)),
        (ModesOptions(radius=4.0, share=0.1), (1, 1.0)),
    ):
        metric = Modes(CENTRES, 0.5, options)
        metric.update(samples)
        scores = metric.compute()
        assert (scores["covered"], scores["high_quality"]) == expected


def test_samples_between_modes_count_for_none() -> None:
    metric = Modes(CENTRES, sigma=0.5)
    metric.update(torch.full((1000, 2), 5.0))
    scores = metric.compute()
    assert (scores["covered"], scores["high_quality"]) == (0, 0.0)


def test_divergence_counts_every_sample_for_its_nearest_mode() -> None:
    metric = Modes(CENTRES, sigma=0.5)
    metric.update(CENTRES[0].repeat(600, 1))
    metric.update(CENTRES[1].repeat(300, 1) + 3.0)  # far, but nearest to the second
    metric.update(CENTRES[2].repeat(100, 1))
    expected = sum(p * math.log(3 * p) for p in (0.6, 0.3, 0.1))
    assert metric.compute()["kl"] == pytest.approx(expected, rel=1e-12)


def test_a_sample_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 3 rows are not finite"):
        Modes(CENTRES, sigma=0.5).update(CENTRES / torch.tensor([[1.0], [0.0], [1.0]]))


def test_reset_forgets_and_nothing_is_an_error() -> None:
    metric = Modes(CENTRES, sigma=0.5)
    metric.update(CENTRES)
    metric.reset()
    with pytest.raises(ValueError, match="no samples"):
        metric.compute()
