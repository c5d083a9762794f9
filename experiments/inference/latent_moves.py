"""Moves in latent space: interpolation along a path, vector arithmetic, traversal of single dimensions."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from experiments.core.errors import UsageError
from experiments.core.images import to_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet, format_signed
from experiments.core.seeds import generator_for
from experiments.inference.latent_space import LatentSpace

SIGNS = {1: "+", -1: "−"}
SIDE = 3  # of the square of neighbours around a result


class LatentTerm(NamedTuple):
    """Term of latent arithmetic: the mean of the latents of some seeds, and its sign."""

    sign: Literal[1, -1]
    seeds: tuple[int, ...]


def interpolate(space: LatentSpace, seeds: Sequence[int], frames: int) -> Tensor:
    """Interpolates from the first seed to the last, through those between them: points `(frames, size)`.

    The points of the seeds are among them to the bit, and equally spaced as far as whole frames allow; so
    are the points between two of them. Raises UsageError for fewer frames than seeds.
    """
    if frames < len(seeds):
        raise UsageError(f"--frames {frames}: {len(seeds)} seeds need {len(seeds)} frames or more")
    stations = space.of_seeds(seeds)
    ways = len(seeds) - 1
    at = [round(index * (frames - 1) / ways) for index in range(len(seeds))]
    points = [stations[:1]]
    for (begin, end), (first, last) in zip(pairwise(stations), pairwise(at), strict=True):
        shares = torch.arange(1, last - first) / (last - first)
        points += [space.between(begin, end, shares), end[None]]
    return torch.cat(points)


def sum_terms(space: LatentSpace, terms: Sequence[LatentTerm]) -> Tensor:
    """Sums the terms of latent arithmetic to a point `(size,)` (Radford et al. 2015, section 6.3.2)."""
    return torch.stack([term.sign * space.of_seeds(term.seeds).mean(dim=0) for term in terms]).sum(dim=0)


def draw_neighbours(space: LatentSpace, point: Tensor, noise: float, seed: int) -> Tensor:
    """Draws neighbours of a point: nine points `(9, size)` with `point` in the middle.

    The eight around it have uniform noise of ±`noise` times the standard deviation of the latents, as
    the paper shows its results (figure 7).
    """
    random = generator_for(seed, "neighbourhood")
    shifts = (2 * torch.rand(SIDE**2, space.size, generator=random) - 1) * noise * space.deviation
    shifts[SIDE**2 // 2] = 0
    return point + shifts


def arithmetic_sheet(space: LatentSpace, terms: Sequence[LatentTerm], noise: float, seed: int) -> Image.Image:
    """Draws latent arithmetic: a row for each term (mean and seeds), then the result among neighbours."""
    rows = []
    for term in terms:
        points = space.of_seeds(term.seeds)
        images = to_uint8(space.samples(torch.cat([points.mean(dim=0, keepdim=True), points])))
        captions = ["mean", *(f"seed {seed}" for seed in term.seeds)]
        rows.append(SheetRow(SIGNS[term.sign], images, captions))
    square = to_uint8(space.samples(draw_neighbours(space, sum_terms(space, terms), noise, seed)))
    near = f"±{noise:g}"
    for index, images in enumerate(torch.split(square, SIDE)):
        is_middle = index == SIDE // 2
        rows.append(SheetRow("=" * is_middle, images, (near, "result" if is_middle else near, near)))
    return draw_sheet(rows)


def traverse_dimensions(space: LatentSpace, point: Tensor, dims: Sequence[int], values: Tensor) -> Tensor:
    """Replaces one number of a point at a time: `(D, V, size)` for D dimensions and V values.

    The values are standard deviations from the mean. Raises UsageError for a dimension that the space
    does not have.
    """
    for dim in dims:
        if dim >= space.size:
            raise UsageError(
                f"--dims {dim}: the latents {space.letter} of {space.name} "
                f"have dimensions 0 to {space.size - 1}"
            )
    points = point.repeat(len(dims), len(values), 1)
    for row, dim in enumerate(dims):
        points[row, :, dim] = space.centre[dim] + values * space.deviation[dim]
    return points


def traversal_sheet(space: LatentSpace, seed: int, dims: Sequence[int], values: Tensor) -> Image.Image:
    """Draws a row of pictures for each dimension: the seed's own sample, then those at the values."""
    point = space.of_seeds([seed])
    moved = traverse_dimensions(space, point[0], dims, values)
    points = torch.cat([point.expand(len(dims), 1, -1), moved], dim=1)
    images = torch.split(to_uint8(space.samples(points.flatten(0, 1))), points.shape[1])
    captions = [f"seed {seed}", *map(format_signed, values.tolist())]
    return draw_sheet(
        [
            SheetRow(f"{space.letter}[{dim}]", row, captions if dim == dims[0] else ())
            for dim, row in zip(dims, images, strict=True)
        ]
    )
