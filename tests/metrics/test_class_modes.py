"""Classes covered by a classifier's word, and Stacked MNIST's thousand modes."""

import math

import pytest
import torch
from torch import Tensor

from metrics.class_modes import ClassModes, ClassModesOptions
from metrics.stacked_mnist import StackedMnist


def logits_of(labels: Tensor, classes: int) -> Tensor:
    """Sure of these labels, to 1 − 3e-4."""
    return 10 * torch.nn.functional.one_hot(labels, classes).float()


def test_quality_is_the_share_that_the_classifier_is_sure_of() -> None:
    metric = ClassModes(torch.ones(2))
    sure = torch.tensor([0.91, 0.89, 0.5, 0.05])
    metric.update(torch.stack([sure, 1 - sure], dim=1).log())  # their softmax is themselves
    assert metric.compute()["high_quality"] == 0.5
    metric = ClassModes(torch.ones(2), ClassModesOptions(confidence=0.88))
    metric.update(torch.stack([sure, 1 - sure], dim=1).log() + 7)
    assert metric.compute()["high_quality"] == 0.75


def test_the_truth_itself_has_no_divergence() -> None:
    metric = ClassModes(torch.tensor([5.0, 3.0, 2.0]))
    for label, count in enumerate((50, 30, 20)):
        metric.update(logits_of(torch.full((count,), label), 3))
    assert metric.compute() == {"covered": 3.0, "high_quality": 1.0, "kl": pytest.approx(0, abs=1e-14)}
    assert metric.remarks == ()


def test_divergence_is_from_the_samples_to_the_truth() -> None:
    """The other way round it would be infinite for a class that was never met."""
    metric = ClassModes(torch.tensor([5.0, 3.0, 2.0]))
    metric.update(logits_of(torch.tensor([0, 0, 0, 1]), 3))
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.3)
    assert metric.compute() == {
        "covered": 2.0,
        "high_quality": 1.0,
        "kl": pytest.approx(expected, rel=1e-12),
    }
    assert metric.remarks == ("3 classes but only 4 samples: kl biased upwards, few classes covered",)


def test_without_a_truth_all_classes_are_alike() -> None:
    metric = ClassModes()
    metric.update(logits_of(torch.zeros(100, dtype=torch.long), 10))
    assert metric.compute()["covered"] == 1
    assert metric.compute()["kl"] == pytest.approx(math.log(10), rel=1e-12)
    metric.reset()
    metric.update(logits_of(torch.arange(4), 4))  # another classifier after a reset
    assert metric.compute() == {"covered": 4.0, "high_quality": 1.0, "kl": 0.0}


def test_a_class_needs_more_than_its_share() -> None:
    labels = torch.tensor([0] * 98 + [1] * 2)
    for share, covered in ((0.0, 2), (0.019, 2), (0.02, 1)):
        metric = ClassModes(torch.ones(2), ClassModesOptions(share=share))
        metric.update(logits_of(labels, 2))
        assert metric.compute()["covered"] == covered


def test_enough_samples_are_twenty_of_each_class() -> None:
    metric = ClassModes(torch.ones(3))
    metric.update(logits_of(torch.arange(59) % 3, 3))
    assert metric.remarks
    metric.update(logits_of(torch.zeros(1, dtype=torch.long), 3))
    assert metric.remarks == ()


def test_what_class_modes_refuse() -> None:
    with pytest.raises(ValueError, match="a class of the truth has no share"):
        ClassModes(torch.tensor([1.0, 0.0]))
    metric = ClassModes(torch.ones(3))
    with pytest.raises(ValueError, match="class-modes: no samples yet"):
        metric.compute()
    with pytest.raises(ValueError, match="rows of 4 numbers beside rows of 3"):
        metric.update(torch.zeros(1, 4))
    with pytest.raises(ValueError, match="not finite"):
        metric.update(torch.full((1, 3), math.nan))


def test_stacked_truth_covers_all_thousand() -> None:
    every = torch.cartesian_prod(*[torch.arange(10)] * 3)
    metric = StackedMnist()
    metric.update(logits_of(every, 10))
    assert metric.compute() == {"covered": 1000.0, "kl": pytest.approx(0, abs=1e-12)}


def test_channels_make_different_modes() -> None:
    """(1, 2, 3), (3, 2, 1) and (2, 2, 2) are three modes, though sums and sets of digits agree."""
    triples = torch.tensor([[1, 2, 3], [3, 2, 1], [2, 2, 2], [2, 2, 2]])
    apart = StackedMnist()
    apart.update(logits_of(triples, 10))
    entropy = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    assert apart.compute() == {"covered": 3.0, "kl": pytest.approx(math.log(1000) - entropy, rel=1e-12)}
    assert "26,000" in apart.remarks[0]


def test_a_grey_generator_covers_ten() -> None:
    metric = StackedMnist()
    metric.update(logits_of(torch.arange(10)[:, None].expand(10, 3), 10))
    assert metric.compute() == {"covered": 10.0, "kl": pytest.approx(math.log(100), rel=1e-12)}


def test_what_stacked_mnist_refuses() -> None:
    metric = StackedMnist()
    with pytest.raises(ValueError, match="no samples yet"):
        metric.compute()
    for shape in ((4, 10), (4, 3, 10, 1)):
        with pytest.raises(ValueError, match=r"each channel \(N, C, K\), not \(4, "):
            metric.update(torch.zeros(shape))
    for classes, channels in ((1008, 3), (10, 8), (3163, 2)):
        with pytest.raises(ValueError, match=rf"{classes}\^{channels} modes are too many"):
            metric.update(torch.zeros(4, channels, classes))
    StackedMnist().update(torch.zeros(1, 7, 10))  # ten million
    metric.update(torch.zeros(4, 3, 10))
    with pytest.raises(ValueError, match=r"each channel \(N, 3, 10\), not \(4, 10, 3\)"):
        metric.update(torch.zeros(4, 10, 3))
