"""Conversion of grey, RGB and RGBA images to the RGB that networks read."""

import torch
from torch import Tensor

SMALLEST = 8  # pixels a side
RGB_OF = (1, 3, 4)  # channels of images that become RGB
WHITE = 255


def as_rgb(images: Tensor) -> Tensor:
    """Converts images `(N, C, H, W)` with C of 1, 3 or 4 to RGB `(N, 3, H, W)`.

    Grey is repeated, and alpha shows white. Raises ValueError for other tensors, and for fewer than 8
    pixels a side.
    """
    known = images.dtype in (torch.uint8, torch.float32)
    if not known or images.dim() != 4 or images.shape[1] not in RGB_OF:
        shape = "×".join(map(str, images.shape))
        raise ValueError(
            "an extractor reads uint8 or float32 images (N, C, H, W) with 1, 3 or 4 channels, "
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
    if images.dtype == torch.float32:
        return images[:, :3].lerp(images.new_tensor(float(WHITE)), 1 - images[:, 3:] / 255)
    colour, alpha = images[:, :3].int(), images[:, 3:].int()
    # In whole numbers, rounded once, so that an opaque image stays what it is.
    return ((colour * alpha + WHITE * (255 - alpha) + 127) // 255).to(torch.uint8)
