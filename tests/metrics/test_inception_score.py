"""Inception Score: closed forms, and torch-fidelity on the same shuffle."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from metrics.inception_score import InceptionScore, InceptionScoreOptions


def scores(
    logits: Tensor, batch: int = 100, shuffle_seed: int | None = 2020, **options: int
) -> dict[str, float]:
    metric = InceptionScore(InceptionScoreOptions(**options), shuffle_seed)
    for part in logits.split(batch):
        metric.update(part)
    return metric.compute()


@pytest.mark.parametrize("count", [10, 999, 5000])
def test_agrees_with_torch_fidelity(count: int) -> None:
    """[18] 10 splits that need not be equal, shuffled by RandomState(2020), deviation with ddof 0."""
    torch.manual_seed(0)
    logits = 3 * torch.randn(count, 50)
    theirs = isc_features_to_metric(logits)
    ours = scores(logits)
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert ours["deviation"] == pytest.approx(theirs["inception_score_std"], rel=1e-9)
    plain = isc_features_to_metric(logits, splits=3, shuffle=False)
    assert scores(logits, splits=3, shuffle_seed=None)["inception_score"] == pytest.approx(
        plain["inception_score_mean"], rel=1e-12
    )


def test_certain_and_even_is_the_number_of_classes_and_one_class_is_one() -> None:
    """Logits this far apart underflow to probabilities of exactly 0."""
    certain = 2000 * torch.eye(8).repeat(50, 1)
    assert scores(certain, splits=1)["inception_score"] == pytest.approx(8, rel=1e-12)
    assert scores(certain[:1].repeat(100, 1)) == pytest.approx({"inception_score": 1, "deviation": 0})
    assert scores(torch.zeros(100, 8)) == pytest.approx({"inception_score": 1, "deviation": 0})


def test_two_sure_classes_in_unequal_shares() -> None:
    """exp of the entropy of (¾, ¼), for one-sided logits as large as float32 holds well."""
    logits = 1000 * torch.eye(2)[torch.tensor([0, 0, 0, 1])].repeat(25, 1) + 1e4
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert scores(logits, splits=1)["inception_score"] == pytest.approx(math.exp(entropy), rel=1e-12)


def test_one_split_has_no_deviation() -> None:
    """A 0 would say that the score is exact."""
    logits = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert scores(logits, splits=1).keys() == {"inception_score"}
    assert scores(logits, splits=2)["deviation"] > 0


def test_batch_size_does_not_matter_and_order_only_between_splits() -> None:
    torch.manual_seed(0)
    logits = 2 * torch.randn(1000, 20)
    assert scores(logits, batch=1) == scores(logits, batch=1000)
    shuffled = logits[torch.randperm(1000)]
    assert scores(shuffled, splits=1)["inception_score"] == pytest.approx(
        scores(logits, splits=1)["inception_score"], rel=1e-12
    )


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    scores(torch.randn(100, 5))
    assert (np.random.get_state()[1] == before).all()


def test_few_samples_are_remarked_or_refused() -> None:
    metric = InceptionScore()
    metric.update(torch.zeros(9, 4))
    with pytest.raises(ValueError, match=r"9 samples, needs at least 10 \(one for each of 10 splits\).*=9$"):
        metric.compute()
    assert metric.remarks == ("4 classes but only 0 samples in a split: biased downwards",)
    metric.update(torch.zeros(31, 4))
    assert metric.remarks == ()
    metric.reset()
    with pytest.raises(ValueError, match="no samples yet"):
        metric.compute()
    with pytest.raises(ValueError, match="1 of 2 rows are not finite"):
        metric.update(torch.tensor([[0.0, 1.0], [0.0, math.nan]]))
    metric.update(torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"1 sample, needs at least 10 .*--set inception-score.splits=1$"):
        metric.compute()
    with pytest.raises(ValueError, match="0 splits"):
        InceptionScore(InceptionScoreOptions(splits=0))
