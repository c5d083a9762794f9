"""Latent directions of large change, found without labels: from weights (SeFa) or samples of w (GANSpace)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from experiments.core.errors import UsageError
from experiments.core.images import to_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet, format_signed
from experiments.core.named_values import JsonObject
from experiments.inference.latent_space import LatentSpace, StyleSpace


@dataclass(frozen=True)
class Directions:
    """Latent directions of a generator, K of them, the strongest first.

    Attributes:
        vectors: `(K, size)`, of length 1 and at right angles to each other; the largest number in each is
            positive, since a direction and its opposite are one.
        strengths: `(K,)`, the numbers that they are ordered by; `measure` is the name of these.
        strides: `(K,)`, length of a unit of `--range`: the latents' standard deviation along the direction.
    """

    vectors: Tensor
    strengths: Tensor
    strides: Tensor
    measure: str

    def to_json(self) -> JsonObject:
        """Converts the strengths to an object for JSON, by their name."""
        return {self.measure: self.strengths.tolist()}


def find_sefa(space: LatentSpace, count: int) -> Directions:
    """Finds directions by SeFa: the top eigenvectors of AᵀA (Shen & Zhou 2021, equations 3 to 6).

    A holds the weights that the latent meets first, and `‖A n‖` is largest along these directions. Raises
    UsageError for more directions than dimensions.
    """
    _check(space, count)
    weights = torch.cat([weight.detach().cpu().double() for weight in space.network.first_layers])
    vectors, squares = _top_eigenvectors(weights.T @ weights, count)
    deviations = (vectors @ space.covariance.double() * vectors).sum(dim=1).sqrt()
    return Directions(vectors.float(), squares.sqrt(), deviations.float(), "singular_values")


def find_pca(space: LatentSpace, count: int) -> Directions:
    """Finds directions by GANSpace: the principal components of 10,000 w (Härkönen et al. 2020, section 3.1).

    Raises UsageError where there is no mapping network, and for more directions than dimensions.
    """
    if not isinstance(space, StyleSpace):
        raise UsageError(
            f"--method pca: {space.name} has no mapping network, and its noise has no direction that another "
            "has not; take --method sefa"
        )
    _check(space, count)
    vectors, variances = _top_eigenvectors(space.covariance.double(), count)
    return Directions(vectors.float(), variances.sqrt(), variances.sqrt().float(), "standard_deviations")


FINDERS: dict[str, Callable[[LatentSpace, int], Directions]] = {"sefa": find_sefa, "pca": find_pca}


def direction_sheet(space: LatentSpace, seed: int, found: Directions, values: Tensor) -> Image.Image:
    """Draws a row of pictures for each direction: the seed's sample, moved by each of the values."""
    shifts = (found.strides[:, None] * values)[..., None] * found.vectors[:, None]
    points = space.of_seeds([seed])[0] + shifts
    rows = torch.split(to_uint8(space.samples(points.flatten(0, 1))), len(values))
    captions = [f"seed {seed}" if value == 0 else format_signed(value) for value in values.tolist()]
    labels = [f"{rank}: {strength:.3g}" for rank, strength in enumerate(found.strengths.tolist(), 1)]
    above = [captions, *([()] * (len(rows) - 1))]
    return draw_sheet([SheetRow(*words) for words in zip(labels, rows, above, strict=True)])


def _check(space: LatentSpace, count: int) -> None:
    """Checks the number of directions. Raises UsageError for more than the space has dimensions."""
    if count > space.size:
        raise UsageError(
            f"-k {count}: the latents {space.letter} of {space.name} have {space.size} dimensions, so there "
            f"are 1 to {space.size} directions"
        )


def _top_eigenvectors(symmetric: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Eigenvectors of a symmetric matrix with the largest eigenvalues, in rows, and these eigenvalues."""
    values, columns = torch.linalg.eigh(symmetric)
    vectors = columns.T.flip(0)[:count]
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return vectors * largest.sign(), values.flip(0)[:count].clamp(min=0)
