"""Kernel Inception distance: unbiased squared MMD of feature vectors (KID, Bińkowski et al. 2018)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from metrics.core.batches import Rows, checked
from metrics.core.by_class import ByClass
from metrics.core.metric import Metric, Reference, Takes

TILE = 1000  # rows of a Gram matrix that are in memory at once


@dataclass(frozen=True)
class KernelDistanceOptions:
    """Options of the kernel distance; the defaults are the authors' and torch-fidelity's."""

    subsets: int = field(default=100, metadata={"help": "Number of random subsets.", "at_least": 2})
    subset_size: int = field(
        default=1000, metadata={"help": "Vectors of each side in a subset.", "at_least": 2}
    )


class KernelDistance(Metric):
    """Mean over random subsets of the unbiased `MMD²` (equation 4) with kernel `(xᵀy / D + 1)³` (section 4).

    The subsets are torch-fidelity's: numpy's `RandomState(seed)` draws those of the generated and of the real
    vectors in turn, without replacement within a subset. Which vectors these are depends on the order in
    which they came; the expectation does not.

    Args:
        reference: `(M, D)`, the real vectors by the same extractor.
        options: number and size of the subsets.
        seed: of the draw of the subsets.

    Scores: `kid`, unbiased, so it may be a little less than 0; `standard_error` of that mean over the
    subsets (ddof 1), a lower bound because subsets share vectors; `deviation` of the subsets (ddof 0). These
    two are left out where every subset is the whole of both sides, because they would be 0 whatever the data.

    Raises:
        ValueError: fewer vectors on either side than a subset has, or options out of bounds.

    >>> import torch
    >>> from metrics.kid import KernelDistance, KernelDistanceOptions
    >>> reference = torch.eye(4)
    >>> metric = KernelDistance(reference, KernelDistanceOptions(subsets=2, subset_size=4))
    >>> metric.update(reference + 1.0)
    >>> round(metric.compute()["kid"], 4)
    12.0078
    """

    takes: ClassVar[Takes] = "vectors"
    options_type: ClassVar[type] = KernelDistanceOptions
    reference: ClassVar[Reference] = "vectors"
    higher_is_better: ClassVar[Mapping[str, bool]] = {"kid": False}
    by_class: ClassVar[ByClass | None] = ByClass(10, "subset_size")
    ranges: Mapping[str, tuple[float, float]] = {
        "kid": (-math.inf, math.inf),
        "standard_error": (0.0, math.inf),
        "deviation": (0.0, math.inf),
    }

    def __init__(
        self, reference: Tensor, options: KernelDistanceOptions | None = None, seed: int = 2020
    ) -> None:
        options = options or KernelDistanceOptions()
        subsets, subset_size = options.subsets, options.subset_size
        if subsets < 2 or subset_size < 2:
            raise ValueError(f"kid: {subsets} subsets of {subset_size}, needs at least 2 of 2")
        self.real = checked(reference, "kid")
        self.check_counts(subset_size, len(self.real), options)
        self.subsets = subsets
        self.subset_size = subset_size
        self.seed = seed
        self.vectors = Rows("kid", self.real.shape[1])

    @classmethod
    def check_counts(cls, samples: int, reals: int, options: KernelDistanceOptions | None = None) -> None:
        size = (options or KernelDistanceOptions()).subset_size
        for count, what in ((reals, "reference samples"), (samples, "samples")):
            if count < size:
                raise ValueError(_smaller(count, what, size))

    def update(self, samples: Tensor) -> None:
        self.vectors.add(samples)

    def compute(self) -> dict[str, float]:
        vectors = self.vectors.all()
        if len(vectors) < self.subset_size:
            raise ValueError(_smaller(len(vectors), "samples", self.subset_size))
        dtype = torch.promote_types(vectors.dtype, self.real.dtype)
        distances = self._distances(vectors.to(dtype), self.real.to(dtype))
        scores = {"kid": float(distances.mean())}
        if self._has_one_subset:
            return scores
        error = distances.std(correction=1) / self.subsets**0.5
        return scores | {
            "standard_error": float(error),
            "deviation": float(distances.std(correction=0)),
        }

    def reset(self) -> None:
        self.vectors.clear()

    @property
    def remarks(self) -> tuple[str, ...]:
        found = []
        usual = KernelDistanceOptions().subset_size
        if self.subset_size != usual:
            found.append(
                f"subsets of {self.subset_size:,}, not of {usual:,} as usual: the deviation is another"
            )
        if self._has_one_subset:
            found.append(
                "every subset is the whole set, so there is no standard error; --set kid.subset_size=N takes "
                "smaller ones"
            )
        return tuple(found)

    @property
    def _has_one_subset(self) -> bool:
        """Whether there is only one subset on each side, that of all vectors."""
        return len(self.real) == len(self.vectors) == self.subset_size

    def _distances(self, x: Tensor, y: Tensor) -> Tensor:
        """Computes the unbiased MMD² of each subset, `(subsets,)` in float64."""
        random = np.random.RandomState(self.seed)
        chosen = [
            [_draw(random, len(side), self.subset_size) for side in (x, y)] for _ in range(self.subsets)
        ]
        of_x, of_y = (torch.stack(subsets) for subsets in zip(*chosen, strict=True))
        whole = len(x) ** 2 / 2 + len(y) ** 2 / 2 + len(x) * len(y)
        if whole < 3 * self.subsets * self.subset_size**2:
            return _mmd(x, y, of_x, of_y)
        # Of many vectors the subsets together are smaller than the whole matrix.
        return torch.cat(
            [_mmd(x[i], y[j], *_everything(self.subset_size)) for i, j in zip(of_x, of_y, strict=True)]
        )


def _smaller(count: int, what: str, size: int) -> str:
    remedy = f", or smaller subsets: --set kid.subset_size={count}" if count > 1 else ""
    return f"kid: {count:,} {what} for subsets of {size:,}; give it more{remedy}"


def _draw(random: np.random.RandomState, count: int, size: int) -> Tensor:
    return torch.from_numpy(random.choice(count, size, replace=False))


def _everything(size: int) -> tuple[Tensor, Tensor]:
    return torch.arange(size)[None], torch.arange(size)[None]


def _mmd(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
    """Equation 4 for each subset, where `of_x` and `of_y`, `(subsets, m)`, say which rows are in it."""
    size = of_x.shape[1]
    within = _kernel_sums(x, x, of_x, of_x) + _kernel_sums(y, y, of_y, of_y)
    return within / (size * (size - 1)) - 2 * _kernel_sums(x, y, of_x, of_y) / size**2


def _kernel_sums(x: Tensor, y: Tensor, of_x: Tensor, of_y: Tensor) -> Tensor:
    """Sum of the kernel over the pairs of each subset, in float64; without the diagonal where x is y.

    One Gram matrix serves all subsets: with 0/1 selectors s and t the sum over a subset is `sᵀ K t`.
    """
    same = x is y
    rows, columns = _selector(of_x, len(x), x.dtype), _selector(of_y, len(y), y.dtype)
    sums = torch.zeros(len(of_x), dtype=torch.float64)
    for start in range(0, len(x), TILE):
        end = min(start + TILE, len(x))
        # The kernel is symmetric: what lies left of the diagonal tile is counted with what lies right of it.
        kernel = _kernel(x[start:end], y[start if same else 0 :])
        if same:
            kernel.diagonal().zero_()
            kernel[:, end - start :] *= 2
        partial = kernel @ columns[start if same else 0 :]
        sums += (rows[start:end].double() * partial.double()).sum(dim=0)
    return sums


def _selector(subsets: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """`(count, subsets)`, 1 where a row belongs to a subset."""
    return torch.zeros(len(subsets), count, dtype=dtype).scatter_(1, subsets, 1).T.contiguous()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = torch.addmm(x.new_ones(()), x, y.T, alpha=1 / x.shape[1])
    return base.square().mul_(base)
