"""Planted copies: training images as they are, mirrored, with a little noise, or shifted a little.

Images are in [0, 255]: uint8, or float32 and not rounded where the data has more than 8 bits.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

NOISE = 4.0  # deviation in levels of 255
EXACT = "exact"  # kind of copies that are not changed
SHARES = (0.05, 0.1, 0.2, 0.5)  # of a set that are planted, or dropped


def noised(images: Tensor, random: torch.Generator) -> Tensor:
    """Adds Gaussian noise of `NOISE` levels to images `(N, C, H, W)`; it is rounded where they are uint8."""
    noise = torch.randn(images.shape, generator=random) * NOISE
    changed = (images.float() + noise).clamp(0, 255)
    return changed.round().to(torch.uint8) if images.dtype == torch.uint8 else changed


def flipped(images: Tensor, random: torch.Generator) -> Tensor:
    """Mirrors images left and right."""
    del random
    return images.flip(3)


def shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Shifts images one pixel for each 32 to the right and downwards; the border is repeated."""
    del random
    steps = [max(1, side // 32) for side in images.shape[2:]]
    rows, columns = (
        (torch.arange(side) - step).clamp(min=0) for side, step in zip(images.shape[2:], steps, strict=True)
    )
    return images[:, :, rows][:, :, :, columns]


def exact(images: Tensor, random: torch.Generator) -> Tensor:
    """Leaves images as they are."""
    del random
    return images


KINDS: Mapping[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    EXACT: exact,
    "flipped": flipped,
    "noised": noised,
    "shifted": shifted,
}
