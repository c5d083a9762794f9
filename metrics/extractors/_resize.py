"""How images come to a network's size: each rule is a matrix for the rows and one for the columns.

FID differs by several percent between rules (Parmar et al. 2022, "On Aliased Resizing", arXiv:2104.11222),
so a score names its rule. Every rule here is linear along each axis, and what it does to the unit vectors of
an axis is its matrix; two products with small matrices are several times faster than the general code.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate


def resize(images: Tensor, side: int, rule: str) -> Tensor:
    """Float32 `(N, C, H, W)` → `(N, C, side, side)` on the same scale.

    Raises ValueError for an unknown rule.
    """
    if rule not in RULES:
        raise ValueError(f"unknown resize rule '{rule}'; there are: {', '.join(RULES)}")
    rows, columns = (matrix(rule, length, side).to(images.device) for length in images.shape[2:])
    resized = rows @ images @ columns.T
    return resized.clamp_(0, 255) if rule == "clean" else resized  # bicubic overshoots; clean-fid clips


@cache
def matrix(rule: str, length: int, side: int) -> Tensor:
    """Float32 `(side, length)`: what the rule does to an axis of that length."""
    return torch.eye(length) if length == side else RULES[rule](length, side)


def _tensorflow(length: int, side: int) -> Tensor:
    """TensorFlow 1's bilinear `resize_images`, as torch-fidelity ports it: pixel i of the new axis lies at
    i · length / side of the old one, half a pixel off, and nothing is done about aliasing."""
    place = torch.arange(side, dtype=torch.float32) * (length / side)
    low = place.floor().long()
    high = (low + 1).clamp(max=length - 1)
    share = (place - low)[:, None]
    unit = torch.eye(length)
    return unit[low] * (1 - share) + unit[high] * share


def _half_pixels(length: int, side: int) -> Tensor:
    """Bilinear between the centres of pixels, without antialiasing: pytorch-fid's."""
    unit = torch.eye(length)[None, None]
    return interpolate(unit, (side, length), mode="bilinear", align_corners=False)[0, 0]


def _bicubic(length: int, side: int) -> Tensor:
    """Pillow's antialiased bicubic on floating-point pixels: clean-fid's."""
    unit = Image.fromarray(np.eye(length, dtype=np.float32))
    return torch.from_numpy(np.array(unit.resize((length, side), Image.Resampling.BICUBIC)))


RULES: dict[str, Callable[[int, int], Tensor]] = {
    "tf1": _tensorflow,
    "pytorch-fid": _half_pixels,
    "clean": _bicubic,
}
