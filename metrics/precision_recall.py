"""Precision and recall: fidelity and diversity of samples, apart (Kynkäänniemi et al. 2019)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core import neighbours
from metrics.core.batches import Rows, checked, too_few
from metrics.core.by_class import ByClass
from metrics.core.level import EvaluatedData, Level
from metrics.core.metric import Metric, Reference, Takes


@dataclass(frozen=True)
class PrecisionRecallOptions:
    """Options of precision and recall; the default is the authors'."""

    k: int = field(default=3, metadata={"help": "Nearest neighbour that a ball reaches to.", "at_least": 1})


def _share_of_real_data(data: EvaluatedData) -> float:
    """Precision and recall of other real samples, about `1 − e⁻ᵏ`.

    A vector lies in k balls in the mean: each ball holds k of as many vectors. Were they scattered at
    random, the number of balls around it would be Poisson's; neighbours in few dimensions miss it less.
    """
    return -math.expm1(-data.options.k)


class PrecisionRecall(Metric):
    """Shares of samples in the real manifold and of real data in the generated one (equations 1 and 2).

    A manifold is the union of balls around the vectors of a set, each as large as the distance to the k-th
    nearest other vector of that set.

    Args:
        reference: `(M, D)`, the real vectors by the same extractor.
        options: k.

    Scores: `precision` and `recall` in [0, 1]. They compare only for equal numbers of vectors.

    Raises:
        ValueError: no more than k vectors on either side.

    >>> import torch
    >>> from metrics.precision_recall import PrecisionRecall, PrecisionRecallOptions
    >>> metric = PrecisionRecall(torch.tensor([[0.0], [1.0], [2.0], [10.0]]), PrecisionRecallOptions(k=1))
    >>> metric.update(torch.tensor([[-3.0], [0.5], [4.0], [5.0]]))
    >>> metric.compute()  # balls around real vectors reach 1, 1, 1 and 8; around samples 3.5, 3.5, 1 and 1
    {'precision': 0.75, 'recall': 0.75}
    """

    takes: ClassVar[Takes] = "vectors"
    options_type: ClassVar[type] = PrecisionRecallOptions
    reference: ClassVar[Reference] = "vectors"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"precision": True, "recall": True}
    by_class: ClassVar[ByClass | None] = ByClass(10)
    resamples_halves: ClassVar[bool] = True  # balls of copies are smaller
    ranges: Mapping[str, tuple[float, float]] = {"precision": (0.0, 1.0), "recall": (0.0, 1.0)}
    levels: ClassVar[Mapping[str, Level]] = {
        "precision": Level(_share_of_real_data, "fidelity", least=0.1),
        "recall": Level(_share_of_real_data, "diversity", least=0.1),
    }

    def __init__(self, reference: Tensor, options: PrecisionRecallOptions | None = None) -> None:
        self.real = checked(reference, "precision-recall")
        self.k = k = (options or PrecisionRecallOptions()).k
        self.check_counts(k + 1, len(self.real), options)
        self.vectors = Rows("precision-recall", self.real.shape[1])

    @classmethod
    def check_counts(cls, samples: int, reals: int, options: PrecisionRecallOptions | None = None) -> None:
        k = (options or PrecisionRecallOptions()).k
        for count, why in ((reals, f"reference, k = {k}"), (samples, f"k = {k}")):
            if count <= k:
                raise ValueError(too_few("precision-recall", count, k + 1, why, _smaller_k(count)))

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)

    def compute(self) -> dict[str, float]:
        vectors = self.vectors.all(self.k + 1, f"k = {self.k}", _smaller_k(len(self.vectors)))
        real, generated = neighbours.prepared(self.real, vectors)
        in_real, in_generated = _members(real, generated, self.k)
        return {
            "precision": in_real.double().mean().item(),
            "recall": in_generated.double().mean().item(),
        }

    def reset(self) -> None:
        self.vectors.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        if len(self.vectors) == len(self.real):
            return ()
        return (f"{len(self.vectors):,} samples beside {len(self.real):,} real ones: better as many of each",)


def _smaller_k(count: int) -> str:
    """The option with which so many vectors are enough; empty where no k is as small."""
    return f"a smaller k: --set precision-recall.k={count - 1}" if count > 1 else ""


def _members(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Membership of generated vectors in the real manifold, bool `(N,)`, and the other way round, `(M,)`."""
    real_radii = neighbours.squared_radii(real, k)
    generated_radii = neighbours.squared_radii(generated, k)
    real_norms, generated_norms = real.square().sum(dim=1), generated.square().sum(dim=1)
    in_real = torch.empty(len(generated), dtype=torch.bool)
    in_generated = torch.zeros(len(real), dtype=torch.bool)
    for start in range(0, len(generated), neighbours.TILE):
        rows = slice(start, start + neighbours.TILE)
        sides = generated[rows], real, generated_norms[rows], real_norms
        distances = neighbours.squared_distances(*sides)
        in_real[rows] = neighbours.inside(distances, *sides, real_radii).any(dim=1)
        in_generated |= neighbours.inside(distances, *sides, generated_radii[rows, None]).any(dim=0)
    return in_real, in_generated
