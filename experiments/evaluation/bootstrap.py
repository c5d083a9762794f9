"""Intervals of scores by a bootstrap over the samples of one generator."""

from statistics import stdev

import torch
from torch import Tensor

from experiments.core.seeds import generator_for
from metrics.core.metric import Metric

Numbers = dict[str, float]


def bootstrap_intervals(
    metric: Metric, samples: Tensor, numbers: Numbers, resamples: int
) -> dict[str, list[float]]:
    """Intervals of 95 % of a metric's numbers, from its deviation over resampled samples.

    Each is `value ± 1.96 s`, s the deviation over sets that are drawn with replacement, within the range of
    the number. The mean of these sets is not used: what is drawn twice biases distances. It says how the
    numbers vary with the samples of one generator, and nothing of other seeds of the training.

    Args:
        metric: holds a resampled set afterwards.
        samples: what its `update` takes, `(N, …)`.
        numbers: its numbers of all samples.
    """
    random = generator_for(0, "bootstrap")
    found: dict[str, list[float]] = {name: [] for name in metric.higher_is_better}
    for _ in range(resamples):
        metric.reset()
        metric.update(samples[torch.randint(len(samples), (len(samples),), generator=random)])
        for name, value in metric.compute().items():
            if name in found:
                found[name].append(value)
    intervals = {}
    for name, values in found.items():
        reach, (low, high) = 1.96 * stdev(values), metric.ranges[name]
        intervals[name] = [max(low, numbers[name] - reach), min(high, numbers[name] + reach)]
    return intervals
