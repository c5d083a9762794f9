"""Resize rules that bring images to a network's size; each rule gives a distance of its own.

Resizing along one axis is linear, so each rule is a matrix per axis, made once, and an image is resized by
two matrix products. What the rules have in common with the programs they are named after is the pixels, to
float rounding.

tf1          bilinear as TensorFlow 1 did it for the first FID, without half-pixel centres and without
             antialiasing (Heusel et al. 2017, arXiv:1706.08500); also torch-fidelity's
pytorch-fid  bilinear with half-pixel centres, without antialiasing
clean        bicubic with antialiasing, in float and clipped to [0, 255], as Pillow does it (Parmar et al.
             2022, arXiv:2104.11222)
"""

from functools import lru_cache

import torch
from torch import Tensor

RULES = ("tf1", "pytorch-fid", "clean")
BICUBIC = -0.5  # the slope at 1 of Pillow's kernel (Keys 1981)


def resized(images: Tensor, rule: str, size: int) -> Tensor:
    """Resizes images, uint8 or float `(N, C, H, W)`, to float32 `(N, C, size, size)` in [0, 255]."""
    pixels = images.float()
    height, width = pixels.shape[-2:]
    # Pillow goes along the rows first; so does this, although only rounding can tell.
    if width != size:
        pixels = pixels @ _matrix(rule, width, size).to(pixels.device).T
    if height != size:
        pixels = _matrix(rule, height, size).to(pixels.device) @ pixels
    return pixels.clamp(0, 255) if rule == "clean" else pixels  # bicubic overshoots at edges


@lru_cache(maxsize=32)
def _matrix(rule: str, length: int, size: int) -> Tensor:
    """Resize matrix of one axis, `(size, length)`: the share of every input pixel in every output pixel."""
    return _bicubic(length, size) if rule == "clean" else _bilinear(length, size, half_pixel=rule != "tf1")


def _bilinear(length: int, size: int, *, half_pixel: bool) -> Tensor:
    """Resize matrix of bilinear interpolation without antialiasing."""
    # In float32 where both originals have it, or pixels take up to 1e-5 more of the other neighbour: the
    # scale, and the position, rounded once (multiplied and subtracted at one go).
    scale = torch.tensor(length / size, dtype=torch.float32).double()
    steps = torch.arange(size, dtype=torch.float64)
    exact = ((steps + 0.5) * scale - 0.5).clamp_min(0) if half_pixel else steps * scale
    positions = exact.float()
    low = positions.long().clamp_max(length - 1)
    high = (low + 1).clamp_max(length - 1)
    share = (positions - low).unsqueeze(1)
    matrix = torch.zeros(size, length)
    matrix.scatter_add_(1, low.unsqueeze(1), 1 - share)
    return matrix.scatter_add_(1, high.unsqueeze(1), share)


def _bicubic(length: int, size: int) -> Tensor:
    """Resize matrix of Pillow's bicubic interpolation with antialiasing."""
    scale = length / size
    stretch = max(scale, 1.0)  # antialiasing: the kernel widens as the image shrinks
    centres = (torch.arange(size, dtype=torch.float64).unsqueeze(1) + 0.5) * scale
    pixels = torch.arange(length, dtype=torch.float64)
    # Pillow rounds the kernel's ends to whole pixels; beyond the image's border there is nothing.
    inside = (pixels >= (centres - 2 * stretch + 0.5).floor()) & (
        pixels < (centres + 2 * stretch + 0.5).floor()
    )
    x = ((pixels - centres + 0.5) / stretch).abs()
    near = ((BICUBIC + 2) * x - (BICUBIC + 3)) * x**2 + 1
    far = BICUBIC * (((x - 5) * x + 8) * x - 4)
    shares = torch.where(x < 1, near, torch.where(x < 2, far, 0.0)) * inside
    return (shares / shares.sum(dim=1, keepdim=True)).float()
