"""Inception Score: samples sure of their class, classes evenly met (Salimans et al. 2016)."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from metrics.core.batches import Rows
from metrics.core.metric import Metric, Reference, Takes


class InceptionScore(Metric):
    """`exp(E_x KL(p(y|x) ‖ p(y)))` (section 4), in float64, on each of several splits.

    Equal to torch-fidelity's with its defaults: numpy's `RandomState(2020)` shuffles the samples before they
    are split, and the deviation over the splits is divided by their number (ddof 0).

    Args:
        splits: how many.
        shuffle_seed: None leaves the samples in the order in which they came.

    Scores: `inception_score`, the mean over the splits, in [1, K] for K classes, and their `deviation`.
    """

    takes: ClassVar[Takes] = "logits"
    reference: ClassVar[Reference] = "none"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"inception_score": True}
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "inception_score": (1.0, math.inf),
        "deviation": (0.0, math.inf),
    }

    def __init__(self, splits: int = 10, shuffle_seed: int | None = 2020) -> None:
        if splits < 1:
            raise ValueError(f"inception-score: {splits} splits, needs at least 1")
        self.splits = splits
        self.shuffle_seed = shuffle_seed
        self.logits = Rows("inception-score")

    def update(self, samples: Tensor) -> None:
        self.logits.add(samples)

    def compute(self) -> dict[str, float]:
        logits = self.logits.all(self.splits, f"one for each of {self.splits} splits")
        if self.shuffle_seed is not None:
            order = np.random.RandomState(self.shuffle_seed).permutation(len(logits))
            logits = logits[torch.from_numpy(order)]
        edges = [split * len(logits) // self.splits for split in range(self.splits + 1)]
        scores = [score(logits[start:end]) for start, end in pairwise(edges)]
        return {"inception_score": float(np.mean(scores)), "deviation": float(np.std(scores))}

    def reset(self) -> None:
        self.logits.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        each, classes = len(self.logits) // self.splits, self.logits.width or 0
        if each >= classes:
            return ()
        return (f"{classes:,} classes but only {each:,} samples in a split: biased downwards",)


def score(logits: Tensor) -> float:
    """`exp(H(y) − E_x H(y|x))` of logits `(N, K)`: the same as the mean divergence, with half the work."""
    logits = logits.double()
    logits = logits - logits.amax(dim=1, keepdim=True)
    odds = logits.exp()
    total = odds.sum(dim=1)
    # Σ p log p = Σ p · logit − log Σ exp(logit), which holds where p underflows to 0.
    certainty = torch.linalg.vecdot(odds, logits) / total - total.log()
    marginal = total.reciprocal() @ odds / len(logits)
    return float((certainty.mean() - torch.special.xlogy(marginal, marginal).sum()).exp())
