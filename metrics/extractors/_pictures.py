"""The pixels that a network for colour images sees of any image."""

import torch
from torch import Tensor

SMALLEST = 8  # pixels a side
WHITE = 255


def as_rgb(images: Tensor) -> Tensor:
    """Uint8 `(N, C, H, W)`, C in 1, 3, 4 → uint8 `(N, 3, H, W)`: grey is repeated, alpha shows white."""
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] not in (1, 3, 4):
        shape = "×".join(map(str, images.shape))
        raise ValueError(
            "an extractor reads uint8 images (N, C, H, W) with 1, 3 or 4 channels, "
            f"not {images.dtype} {shape}"
        )
    if min(images.shape[2:]) < SMALLEST:
        height, width = images.shape[2:]
        size = f"{height}×{width}"
        raise ValueError(f"an extractor needs at least {SMALLEST} pixels a side; these images have {size}")
    if images.shape[1] == 1:
        return images.expand(-1, 3, -1, -1)
    if images.shape[1] == 3:
        return images
    colour, alpha = images[:, :3].int(), images[:, 3:].int()
    # In whole numbers, rounded once, so that an opaque image stays what it is.
    return ((colour * alpha + WHITE * (255 - alpha) + 127) // 255).to(torch.uint8)
