"""Intervals of scores by a bootstrap over the samples of one generator."""

import math
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

    Where what is drawn twice changes also how much the numbers vary, the sets are m = ⌊N/2⌋ of the N samples
    without replacement, and s is their deviation times √(m / (N − m)): the delete-d jackknife (Shao & Wu
    1989, Annals of Statistics 17, 1176). There is no interval where a half is too few for the metric.

    Args:
        metric: holds all samples afterwards, on which its ranges and remarks depend.
        samples: what its `update` takes, `(N, …)`.
        numbers: its numbers of all samples.
    """
    random = generator_for(0, "bootstrap")
    found: dict[str, list[float]] = {name: [] for name in metric.higher_is_better}
    for _ in range(resamples):
        metric.reset()
        metric.update(samples[_draw_set(len(samples), metric.resamples_halves, random)])
        try:
            values = metric.compute()
        except ValueError:
            if not metric.resamples_halves:
                raise
            found = {}  # of too few samples
            break
        for name, value in values.items():
            if name in found:
                found[name].append(value)
    metric.reset()
    metric.update(samples)
    intervals, half = {}, len(samples) // 2
    scale = math.sqrt(half / (len(samples) - half)) if metric.resamples_halves else 1.0
    for name, drawn in found.items():
        reach, (low, high) = 1.96 * scale * stdev(drawn), metric.ranges[name]
        intervals[name] = [max(low, numbers[name] - reach), min(high, numbers[name] + reach)]
    return intervals


def _draw_set(count: int, is_half: bool, random: torch.Generator) -> Tensor:
    """Draws indices of samples: as many as there are, with replacement, or a half without."""
    if is_half:
        return torch.randperm(count, generator=random)[: count // 2]
    return torch.randint(count, (count,), generator=random)
