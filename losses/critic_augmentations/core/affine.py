"""Affine maps of the plane and of colours as matrices, a stack of them for a batch, in float64."""

import math

import torch
from torch import Tensor


def translation(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Makes matrices `(…, 3, 3)` that shift positions (x, y, 1) by `(…)`."""
    return _stack([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scaling(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Makes matrices `(…, 3, 3)` that stretch both axes by factors `(…)`."""
    return _stack([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])


def rotation(angle: Tensor) -> Tensor:
    """Makes matrices `(…, 3, 3)` that turn the x axis towards the y axis by angles `(…)` in radians."""
    cosine, sine = angle.cos(), angle.sin()
    return _stack([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def grey_projection(channels: int) -> Tensor:
    """Makes the matrix `v vᵀ` `(C + 1, C + 1)` that projects colours on the grey axis v, without offset."""
    projection = torch.full((channels + 1, channels + 1), 1 / channels, dtype=torch.float64)
    projection[-1], projection[:, -1] = 0.0, 0.0
    return projection


def grey_rotation(angle: Tensor) -> Tensor:
    """Makes matrices `(…, 4, 4)` that turn colours (r, g, b, 1) about the grey axis, right-handed.

    It is Rodrigues' formula, `cos θ I + (1 − cos θ) v vᵀ + sin θ [v]ₓ`.
    """
    angle = angle[..., None, None]
    v = 1 / math.sqrt(3)
    cross = torch.tensor([[0.0, -v, v], [v, 0.0, -v], [-v, v, 0.0]], dtype=torch.float64)
    matrices = torch.eye(4, dtype=torch.float64).repeat(*angle.shape[:-2], 1, 1)
    grey = grey_projection(3)[:3, :3]
    matrices[..., :3, :3] = (
        angle.cos() * torch.eye(3, dtype=torch.float64) + (1 - angle.cos()) * grey + angle.sin() * cross
    )
    return matrices


def _stack(rows: list[list[Tensor | float]]) -> Tensor:
    """Stacks entries, some of which are tensors `(…)`, to matrices `(…, rows, columns)`."""
    entries = [torch.as_tensor(entry, dtype=torch.float64) for row in rows for entry in row]
    shape = max((entry.shape for entry in entries), key=len)  # the others are numbers
    stacked = torch.stack([entry.expand(shape) for entry in entries], dim=-1)
    return stacked.view(*shape, len(rows), len(rows[0]))
