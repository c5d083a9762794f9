"""Resizing and channel conversion of pictures of one size, all in memory."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from experiments.data.core.dataset import Fit
from experiments.data.core.padding import pad_images

LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
CHUNK = 256  # pictures that are floating-point numbers at once: few, so that they stay in the cache


def check_shape(name: str, own: tuple[int, int], size: tuple[int, int], channels: int, fit: Fit) -> None:
    """Checks that pictures of size `own` can be had at `size` with `channels`; else raises ValueError."""
    if channels not in (1, 3, 4):
        raise ValueError(f"{name} has 1, 3 or 4 channels, not {channels}")
    check_size(name, own, size, fit)


def check_size(name: str, own: tuple[int, int], size: tuple[int, int], fit: Fit) -> None:
    """Checks that pictures of size `own` (height, width) can be had at `size`; else raises ValueError."""
    if fit == "error" and size != own:
        raise ValueError(
            f"{name} is {own[0]}×{own[1]}, not {size[0]}×{size[1]}: choose --fit crop or stretch, or pad"
        )


def resize_and_convert(images: Tensor, size: tuple[int, int], channels: int, fit: Fit) -> Tensor:
    """Resizes and converts uint8 `(N, C, h, w)`, C 1 or 3, to contiguous uint8 `(N, channels, *size)`.

    "stretch" takes each axis by itself, "pad" keeps the aspect and all of the picture, in a border of zeros;
    all else keeps the aspect and cuts off what is too much, evenly. Resizing is antialiased, and rounded
    once. RGB becomes grey by its luma, grey is repeated, alpha is 255, and 0 in a border.
    """
    samples = torch.empty(len(images), channels, *size, dtype=torch.uint8)
    for start in range(0, len(images), CHUNK):
        part = slice(start, start + CHUNK)
        samples[part] = _resize_and_convert(images[part], size, channels, fit)
    return samples


def _resize_and_convert(images: Tensor, size: tuple[int, int], channels: int, fit: Fit) -> Tensor:
    height, width = images.shape[2:]
    grey = channels == 1 and images.shape[1] == 3
    if grey or size != (height, width):
        whole = images.float()
        if grey:
            whole = (whole * LUMA.view(3, 1, 1)).sum(1, keepdim=True)
        if size != (height, width):
            whole = _resize(whole, size, fit)
        images = whole.round_().clamp_(0, 255).byte()
    if channels == 1:
        return images
    colours = images.expand(-1, 3, -1, -1)
    if channels == 3:
        return colours
    alpha = torch.full_like(colours[:, :1], 255)
    if fit == "pad":
        alpha = pad_images(torch.full((len(images), 1, height, width), 255.0), size).round().byte()
    return torch.cat([colours, alpha], dim=1)


def _resize(images: Tensor, size: tuple[int, int], fit: Fit) -> Tensor:
    height, width = images.shape[2:]
    if fit == "pad":
        return pad_images(images, size)
    scale = max(size[0] / height, size[1] / width)
    scaled = size if fit == "stretch" else (round(height * scale), round(width * scale))
    top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    whole = interpolate(images, scaled, mode="bilinear", antialias=True)
    return whole[:, :, top : top + size[0], left : left + size[1]]
