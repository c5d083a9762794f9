"""Precision and recall: samples that look real, and real data that is reached (Kynkäänniemi et al. 2019)."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from metrics.core import neighbours
from metrics.core.batches import Rows, checked, too_few
from metrics.core.metric import Metric, Reference, Takes


class PrecisionRecall(Metric):
    """The share of samples in the real manifold, and of real data in the generated one (equations 1, 2).

    A manifold is the union of balls around the vectors of a set, each as large as the distance to the k-th
    nearest other vector of that set.

    Args:
        reference: `(M, D)`, the real vectors by the same extractor.
        k: neighbours.

    Scores: `precision` and `recall` in [0, 1]. They compare only for equal numbers of vectors.
    """

    takes: ClassVar[Takes] = "vectors"
    reference: ClassVar[Reference] = "vectors"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"precision": True, "recall": True}
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"precision": (0.0, 1.0), "recall": (0.0, 1.0)}

    def __init__(self, reference: Tensor, k: int = 3) -> None:
        self.real = checked(reference, "precision-recall")
        self.k = k
        if len(self.real) <= k:
            raise ValueError(too_few("precision-recall", len(self.real), k + 1, f"reference, k = {k}"))
        self.vectors = Rows("precision-recall", self.real.shape[1])

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)

    def compute(self) -> dict[str, float]:
        vectors = self.vectors.all(self.k + 1, f"k = {self.k}")
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
        return (f"{len(self.vectors):,} samples beside {len(self.real):,} real ones: unequal balls",)


def _members(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Which generated vectors lie in the real manifold, `(N,)`, and the other way round, `(M,)`."""
    real_radii = neighbours.squared_radii(real, k)
    generated_radii = neighbours.squared_radii(generated, k)
    real_norms, generated_norms = real.square().sum(dim=1), generated.square().sum(dim=1)
    in_real = torch.empty(len(generated), dtype=torch.bool)
    in_generated = torch.zeros(len(real), dtype=torch.bool)
    for start in range(0, len(generated), neighbours.TILE):
        rows = slice(start, start + neighbours.TILE)
        distances = neighbours.squared_distances(generated[rows], real, generated_norms[rows], real_norms)
        in_real[rows] = (distances <= real_radii).any(dim=1)
        in_generated |= (distances <= generated_radii[rows, None]).any(dim=0)
    return in_real, in_generated
