"""Inception Score: certainty about the class of each sample, diversity of classes (Salimans et al. 2016)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from metrics.core.batches import Rows, too_few
from metrics.core.metric import Metric, Reference, Takes


@dataclass(frozen=True)
class InceptionScoreOptions:
    """Options of the Inception Score; the default is the authors'."""

    splits: int = field(
        default=10, metadata={"help": "Number of splits that are scored apart.", "at_least": 1}
    )


class InceptionScore(Metric):
    """Mean over splits of `exp(E_x KL(p(y|x) ‖ p(y)))` (section 4), in float64.

    Equal to torch-fidelity's with its defaults: numpy's `RandomState(2020)` shuffles the samples before they
    are split, and the deviation over the splits is divided by their number (ddof 0).

    Args:
        options: the number of splits.
        shuffle_seed: None leaves the samples in the order in which they came.

    Takes logits `(N, K)` of K classes.

    Scores: `inception_score`, the mean over the splits, in [1, K], and their `deviation`, which a single
    split has not.

    Raises:
        ValueError: fewer samples than splits.

    >>> import torch
    >>> from metrics.inception_score import InceptionScore, InceptionScoreOptions
    >>> metric = InceptionScore(InceptionScoreOptions(splits=1))
    >>> metric.update(1000 * torch.eye(4))  # certain of each, and all classes alike
    >>> metric.compute()
    {'inception_score': 4.0}
    """

    takes: ClassVar[Takes] = "logits"
    options_type: ClassVar[type] = InceptionScoreOptions
    reference: ClassVar[Reference] = "none"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"inception_score": True}
    ranges: Mapping[str, tuple[float, float]] = {
        "inception_score": (1.0, math.inf),
        "deviation": (0.0, math.inf),
    }

    def __init__(self, options: InceptionScoreOptions | None = None, shuffle_seed: int | None = 2020) -> None:
        self.splits = splits = (options or InceptionScoreOptions()).splits
        if splits < 1:
            raise ValueError(f"inception-score: {splits} splits, needs at least 1")
        self.shuffle_seed = shuffle_seed
        self.logits = Rows("inception-score")

    @classmethod
    def check_counts(cls, samples: int, reals: int, options: InceptionScoreOptions | None = None) -> None:
        _check_count(samples, (options or InceptionScoreOptions()).splits)

    def update(self, samples: Tensor) -> None:
        self.logits.add(samples)
        self.ranges = {**self.ranges, "inception_score": (1.0, float(samples.shape[1]))}

    def compute(self) -> dict[str, float]:
        _check_count(len(self.logits), self.splits)
        logits = self.logits.all()
        if self.shuffle_seed is not None:
            order = np.random.RandomState(self.shuffle_seed).permutation(len(logits))
            logits = logits[torch.from_numpy(order)]
        edges = [split * len(logits) // self.splits for split in range(self.splits + 1)]
        scores = [score(logits[start:end]) for start, end in pairwise(edges)]
        found = {"inception_score": float(np.mean(scores))}
        return found | ({"deviation": float(np.std(scores))} if self.splits > 1 else {})

    def reset(self) -> None:
        self.logits.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        each, classes = len(self.logits) // self.splits, self.logits.width or 0
        if each >= classes:
            return ()
        return (f"{classes:,} classes but only {each:,} samples in a split: biased downwards",)


def score(logits: Tensor) -> float:
    """Computes `exp(H(y) − E_x H(y|x))` of logits `(N, K)`: the mean divergence with half the work."""
    logits = logits.double()
    logits = logits - logits.amax(dim=1, keepdim=True)
    odds = logits.exp()
    total = odds.sum(dim=1)
    # Σ p log p = Σ p · logit − log Σ exp(logit), which holds where p underflows to 0.
    certainty = torch.linalg.vecdot(odds, logits) / total - total.log()
    marginal = total.reciprocal() @ odds / len(logits)
    return float((certainty.mean() - torch.special.xlogy(marginal, marginal).sum()).exp())


def _check_count(count: int, splits: int) -> None:
    """Checks that there is a sample for each split. Raises ValueError."""
    if count < splits:
        remedy = f"fewer splits: --set inception-score.splits={count}" if count else ""
        raise ValueError(
            too_few("inception-score", count, splits, f"one for each of {splits} splits", remedy)
        )
