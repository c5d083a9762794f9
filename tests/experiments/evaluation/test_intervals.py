"""Intervals over the samples are as wide as the scores of further samples vary."""

from collections.abc import Callable
from statistics import mean, stdev

import pytest
import torch

from experiments.evaluation.task_metrics import bootstrap_intervals
from metrics.core.metric import Metric
from metrics.precision_recall import PrecisionRecall
from metrics.vendi import Vendi

COUNT, REPETITIONS = 200, 60
WIDTHS = {"vendi": 64, "recall": 8, "precision": 8}


@pytest.mark.parametrize("name", ["vendi", "recall", "precision"])
def test_they_are_as_wide_as_scores_vary(name: str) -> None:
    """A bootstrap of the samples made those of vendi twice as wide, and those of recall 1.6 times."""
    torch.manual_seed(0)
    width = WIDTHS[name]
    real, scale = torch.randn(2 * COUNT, width), torch.linspace(1, 0.3, width) if name == "vendi" else 1
    make: Callable[[], Metric] = Vendi if name == "vendi" else lambda: PrecisionRecall(real)
    found, deviations = [], []
    for _ in range(REPETITIONS):
        samples, metric = 0.1 + 1.1 * scale * torch.randn(COUNT, width), make()
        metric.update(samples)
        numbers = metric.compute()
        low, high = bootstrap_intervals(metric, samples, numbers, 10)[name]
        found.append(numbers[name])
        if metric.ranges[name][0] < low and high < metric.ranges[name][1]:
            deviations.append((high - low) / 2 / 1.96)
    assert mean(deviations) == pytest.approx(stdev(found), rel=0.3)


def test_the_metric_holds_all_samples_afterwards() -> None:
    metric, samples = Vendi(), torch.eye(6)
    metric.update(samples)
    numbers = metric.compute()
    assert numbers["vendi"] == pytest.approx(6)
    # Halves are 3 directions each, always: the score does not vary.
    assert bootstrap_intervals(metric, samples, numbers, 5) == {"vendi": pytest.approx([6, 6])}
    assert metric.ranges["vendi"] == (1, 6) and metric.compute() == numbers


def test_there_are_none_where_a_half_is_too_few() -> None:
    metric, samples = PrecisionRecall(torch.randn(9, 2)), torch.randn(7, 2)
    metric.update(samples)
    assert bootstrap_intervals(metric, samples, numbers := metric.compute(), 5) == {}
    assert metric.compute() == numbers
