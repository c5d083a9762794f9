"""Vendi score: the effective number of different samples (Friedman & Dieng 2023)."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core.batches import Rows
from metrics.core.by_class import ByClass
from metrics.core.metric import Metric, Reference, Takes


class Vendi(Metric):
    """Exponential of the entropy of the eigenvalues of K / N, K the samples' similarities (equation 1).

    The similarity is the cosine of feature vectors. The eigenvalues are those of the mean of `xxᵀ` over unit
    vectors x, D of them.

    Scores: `vendi` in [1, min(N, D)]: 1 for samples that are all alike, N for samples that have nothing in
    common. It compares only for equal numbers of vectors by one extractor, and beside that of real ones.

    Raises:
        ValueError: no samples, or a vector that is zero.

    >>> import torch
    >>> from metrics.vendi import Vendi
    >>> metric = Vendi()
    >>> metric.update(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]))
    >>> round(metric.compute()["vendi"], 9)  # two directions, equally often
    2.0
    """

    takes: ClassVar[Takes] = "vectors"
    reference: ClassVar[Reference] = "none"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"vendi": True}
    by_class: ClassVar[ByClass | None] = ByClass(10)
    resamples_halves: ClassVar[bool] = True  # copies are less different
    ranges: Mapping[str, tuple[float, float]] = {"vendi": (1.0, math.inf)}

    def __init__(self) -> None:
        self.vectors = Rows("vendi")

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)
        self.ranges = {"vendi": (1.0, float(min(len(self.vectors), samples.shape[1])))}

    def compute(self) -> dict[str, float]:
        vectors = self.vectors.all().double()
        lengths = vectors.norm(dim=1, keepdim=True)
        if (lengths == 0).any():
            raise ValueError("vendi: a vector of zeros has no direction; take another --extractor")
        unit = vectors / lengths
        (score,) = vendi_scores((unit.T @ unit / len(unit))[None]).tolist()
        low, high = self.ranges["vendi"]
        return {"vendi": min(max(score, low), high)}  # but for rounding it is within

    def reset(self) -> None:
        self.vectors.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        count, width = len(self.vectors), self.vectors.width or 0
        if count > width:
            return ()
        return (f"{width:,} features but only {count:,} samples, which bound it",)


def vendi_scores(similarities: Tensor) -> Tensor:
    """Exponential of the entropy of the eigenvalues of R matrices of trace 1, `(R, D, D)` → `(R,)`."""
    values = torch.linalg.eigvalsh(similarities).clamp(min=0)
    return (-torch.special.xlogy(values, values).sum(dim=1)).exp()
