"""Mean and covariance of feature vectors, and the Fréchet distance between two Gaussians with them.

Everything in float64 on the CPU. Files are in pytorch-fid's layout (`mu`, `sigma`), with the number of
samples and their provenance beside it.
"""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from metrics.core.batches import checked, too_few
from metrics.core.statistics_files import check_shapes, read_statistics_file

SMALLEST_BLOCK = 1024  # rows folded at once; fewer would make narrow vectors slow
ASYMMETRY = 1e-5  # of the largest entry: what a file written in float32 may show
TILE = 256  # columns multiplied at once where half of a product is not needed
EPSILON = torch.finfo(torch.float64).eps


class Root(NamedTuple):
    """A square root `(r, D)` of a covariance of rank r: `factorᵀ factor` is the covariance."""

    factor: Tensor
    upper_triangular: bool


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and covariance of a set of feature vectors, for the Fréchet distance.

    Attributes:
        mean: `(D,)`.
        covariance: `(D, D)`, unbiased (divided by N − 1).
        count: N; 0 if it is not known, as in pytorch-fid's files.
        centred: `(N, D)`, the vectors less their mean over √(N − 1), if there were at most D.
        provenance: how the vectors were made, as the file says.

    Raises:
        ValueError: shapes that do not fit, numbers that are not finite, or a matrix that is no covariance.
    """

    mean: Tensor
    covariance: Tensor
    count: int
    centred: Tensor | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mean, covariance = self.mean.double().cpu(), self.covariance.double().cpu()
        _check(mean, covariance)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "covariance", (covariance + covariance.T).div_(2))

    @cached_property
    def root(self) -> Root:
        """A square root of the covariance: Cholesky's where it has full rank, else of its eigenvectors.

        Computed once for each object, so a reference that many generators are measured against pays once.
        """
        if self.centred is not None:
            return Root(self.centred, upper_triangular=False)
        # Beneath this an eigenvalue is rounding, and its root would count for far more than that.
        rounding = len(self.mean) * EPSILON * torch.linalg.matrix_norm(self.covariance)
        lower, failed = torch.linalg.cholesky_ex(self.covariance)
        # A pivot is as large as the smallest eigenvalue over a square of its vector: about D times.
        if not failed and lower.diagonal().min().square() > len(self.mean) * rounding:
            return Root(lower.T, upper_triangular=True)
        values, vectors = torch.linalg.eigh(self.covariance)
        values, vectors = values[values > rounding], vectors[:, values > rounding]
        return Root((vectors * values.sqrt()).T, upper_triangular=False)

    def to_bytes(self, provenance: Mapping[str, Any] | None = None) -> bytes:
        """Makes a `.npz` with `mu`, `sigma`, `count` and `provenance` (JSON); equal content, equal bytes."""
        text = json.dumps(dict(self.provenance if provenance is None else provenance), sort_keys=True)
        content = io.BytesIO()
        np.savez(
            content,
            mu=self.mean.numpy(),
            sigma=self.covariance.numpy(),
            count=np.array(self.count),
            provenance=np.array(text),
        )
        return content.getvalue()

    def save(self, path: Path | str, provenance: Mapping[str, Any] | None = None) -> None:
        """Writes what `to_bytes` makes; a reader never meets half a file."""
        path = Path(path)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(self.to_bytes(provenance))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str) -> "Statistics":
        """Reads what `save` or pytorch-fid wrote.

        Raises:
            ValueError: one line that names the file, what is wrong with it and the remedy.
        """
        try:
            found = cls(**read_statistics_file(path))
            _check_definite(found.covariance)
            return found
        except Exception as error:  # whatever a file that is no .npz makes the readers stumble over
            is_missing = isinstance(error, FileNotFoundError)
            what = " does not exist" if is_missing else f": {_in_a_line(error)}"
            raise ValueError(
                f"statistics {path}{what}; give a .npz with mu (D,) and sigma (D, D), or make one anew"
            ) from error


def _in_a_line(error: BaseException) -> str:
    if not isinstance(error, ValueError | OSError) or not str(error):
        return "is not a readable .npz"
    return str(error).splitlines()[0]


def _check(mean: Tensor, covariance: Tensor) -> None:
    """Checks that both can be mean and covariance, without a copy of the whole covariance."""
    check_shapes(mean.shape, covariance.shape)
    lowest, highest = covariance.aminmax()  # NaN where there is one
    if not (mean.isfinite().all() and lowest.isfinite() and highest.isfinite()):
        raise ValueError("mean or covariance hold NaN or infinity")
    most = ASYMMETRY * max(-lowest, highest)
    rows = (slice(start, start + TILE) for start in range(0, len(mean), TILE))
    if any((covariance[part] - covariance[:, part].T).abs().max() > most for part in rows):
        raise ValueError("the covariance is not symmetric")
    if covariance.diagonal().min() < 0:
        raise ValueError("the covariance has a negative variance")


def _check_definite(covariance: Tensor) -> None:
    """Checks that no eigenvalue is negative beyond what a file written in float32 may show."""
    slack = ASYMMETRY * covariance.diagonal().max() + torch.finfo(torch.float64).tiny
    raised = covariance.clone()
    raised.diagonal().add_(slack)
    if torch.linalg.cholesky_ex(raised).info:
        raise ValueError("the covariance has a negative eigenvalue")


class Moments:
    """Mean and covariance of vectors that come batch by batch.

    Rows are folded in blocks of one size (Chan, Golub & LeVeque 1979, equation 2.1), so the result is the
    same to the last bit for every batch size, and to rounding for every order. What was not folded yet is
    kept: with at most D vectors, that is all of them, and the low-rank forms of the distance can use them.

    Args:
        width: D; None takes that of the first batch.
        metric: the name that errors begin with.
    """

    def __init__(self, width: int | None = None, metric: str = "statistics") -> None:
        self.width = width
        self.metric = metric
        self.count = 0
        self._folded = 0
        self._waiting: list[Tensor] = []

    def update(self, vectors: Tensor) -> None:
        """Takes another batch `(N, D)`. Raises ValueError for a wrong shape, NaN or infinity."""
        vectors = checked(vectors, self.metric, self.width).double()
        if self.width is None:
            self.width = vectors.shape[1]
        self._waiting.append(vectors)
        self.count += len(vectors)
        block = max(self.width, SMALLEST_BLOCK)
        if self.count - self._folded > block:
            waiting = torch.cat(self._waiting)
            while len(waiting) > block:
                self._fold(waiting[:block])
                waiting = waiting[block:]
            self._waiting = [waiting.clone()]

    def statistics(self) -> Statistics:
        """Computes mean and covariance of all vectors so far. Raises ValueError with fewer than two."""
        if self.count < 2 or self.width is None:
            raise ValueError(too_few(self.metric, self.count, 2, "one has no covariance"))
        mean, scatter, centred = self._merged(torch.cat(self._waiting))
        if self.count <= self.width:
            scaled = centred / (self.count - 1) ** 0.5
            return Statistics(mean, scaled.T @ scaled, self.count, centred=scaled)
        return Statistics(mean, scatter / (self.count - 1), self.count)

    def _fold(self, block: Tensor) -> None:
        self._mean, self._scatter, _ = self._merged(block)
        self._folded += len(block)

    def _merged(self, block: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and scatter of the folded rows and `block` together, and `block` less its own mean."""
        mean = block.mean(dim=0)
        centred = block - mean
        scatter = centred.T @ centred
        if self._folded:
            total = self._folded + len(block)
            step = mean - self._mean
            mean = self._mean + step * (len(block) / total)
            scatter += self._scatter
            scatter += torch.outer(step, step) * (self._folded * len(block) / total)
        return mean, scatter, centred


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """Fréchet distance of two Gaussians, `|μ₁ − μ₂|² + Tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½)`.

    Dowson & Landau 1982; Heusel et al. 2017, equation 6.

    With `Σ = FᵀF` the eigenvalues of Σ₁Σ₂ are those of the symmetric `F₂Σ₁F₂ᵀ`, and the trace of the root is
    the nuclear norm of `F₁F₂ᵀ`: real for every pair of covariances, singular ones and zero included. The
    root that is used is b's, which keeps it: b is the reference.

    Returns:
        The distance, never beneath 0.

    Raises:
        ValueError: vectors of different width.

    >>> import torch
    >>> from metrics.core.statistics import Statistics, frechet_distance
    >>> a, b = (Statistics(torch.full((2,), mean), torch.eye(2), count=0) for mean in (0.0, 3.0))
    >>> round(frechet_distance(a, b), 9)  # equal covariances: the squared distance of the means
    18.0
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"statistics of {len(a.mean)} and of {len(b.mean)} features; make both with one extractor"
        )
    means = (a.mean - b.mean).square().sum()
    traces = a.covariance.trace() + b.covariance.trace()
    return max(0.0, float(means + traces - 2 * _trace_of_root(a, b)))


def _trace_of_root(a: Statistics, b: Statistics) -> Tensor:
    """Trace `Tr((Σ₁Σ₂)^½)`, from the smallest matrix whose eigenvalues or singular values give it."""
    if a.centred is not None and b.centred is not None:
        return torch.linalg.svdvals(a.centred @ b.centred.T).sum()
    few, many = (a, b) if a.centred is not None else (b, a)
    factor, upper_triangular = few.root
    if not len(factor):
        return factor.new_zeros(())
    if upper_triangular:
        product = _lower_half_of_triangular(factor.T, many.covariance)
    else:
        product = _congruent(factor, many.covariance)
    values = torch.linalg.eigvalsh(product)  # of the lower half
    # What lies beneath the rounding of the largest is rounding too, and its root would be far larger.
    return values[values > 4 * EPSILON * values[-1].abs()].sqrt().sum()


def _lower_half_of_triangular(lower: Tensor, symmetric: Tensor) -> Tensor:
    """The product `LᵀSL` at and beneath the diagonal, in a third of the full product's time."""
    half, product = torch.empty_like(symmetric), torch.zeros_like(symmetric)
    for start in range(0, len(lower), TILE):
        columns = slice(start, start + TILE)
        half[:, columns] = symmetric[:, start:] @ lower[start:, columns]
    for start in range(0, len(lower), TILE):
        rows = slice(start, start + TILE)
        product[rows, : start + TILE] = lower[start:, rows].T @ half[start:, : start + TILE]
    return product


def _congruent(rows: Tensor, symmetric: Tensor) -> Tensor:
    """The product `XSXᵀ` for X `(r, D)`, in two thirds of the two products' time where r is far beneath D.

    With `S = U + Uᵀ`, U triangular, it is `XUXᵀ` and that transposed. U is so by tiles: of those on the
    diagonal, which are symmetric, it has a half.
    """
    half = rows.new_empty(len(symmetric), len(rows))  # UᵀXᵀ
    for start in range(0, len(symmetric), TILE):
        tile = slice(start, start + TILE)
        half[tile] = symmetric[tile, :start] @ rows[:, :start].T
        half[tile] += symmetric[tile, tile] / 2 @ rows[:, tile].T
    product = rows @ half
    return product + product.T
