"""Random values of transforms, each applied to an image with a probability."""

import torch
from torch import Tensor

from losses.core.batch_parts import draw_rows


def draw_uniform(rows: int, *shape: int) -> Tensor:
    """Draws numbers from U[0, 1) in main memory, float32 `(rows, *shape)`."""
    return draw_rows(lambda count: torch.rand(count, *shape, device="cpu", dtype=torch.float32), rows)


def draw_normal(rows: int, *shape: int) -> Tensor:
    """Draws numbers from N(0, 1) in main memory, float32 `(rows, *shape)`."""
    return draw_rows(lambda count: torch.randn(count, *shape, device="cpu", dtype=torch.float32), rows)


def gated(value: Tensor, gate: Tensor, probability: float, neutral: float) -> Tensor:
    """Keeps values `(N, …)` whose gate `(N,)` from U[0, 1) lies below a probability; others become neutral.

    The values are float64 from here on.
    """
    is_open = (gate.double() < probability).reshape(-1, *[1] * (value.dim() - 1))
    return torch.where(is_open, value.double(), neutral)
