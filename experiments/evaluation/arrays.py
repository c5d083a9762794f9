"""Arrays of somebody's own as sides of a distance: of any byte order and strides, as tensors and images."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.core.errors import UsageError, usage_errors
from experiments.core.images import to_uint8
from gans.core.adversary_inputs import check_range


def tensor_of(name: str, side: Any) -> Tensor:
    """Copies an array of any byte order and strides, or lists of numbers. Raises UsageError otherwise."""
    try:
        array = np.ascontiguousarray(side)
        native = array.dtype.newbyteorder("=")
        return torch.from_numpy(array.astype(native, copy=not array.flags.writeable))
    except (TypeError, ValueError) as error:
        kind = f"of {side.dtype}" if isinstance(side, np.ndarray) else "of unequal lists or other objects"
        raise UsageError(f"{name}: an array {kind} holds no samples; give an array of numbers") from error


def images_of(name: str, images: Tensor) -> Tensor:
    """Converts an array to images, uint8 `(N, C, H, W)`. Raises UsageError for an array of no images."""
    channels = (1, 3, 4)
    if images.dim() == 4 and images.shape[1] not in channels and images.shape[3] in channels:
        images = images.permute(0, 3, 1, 2)
    if images.dim() != 4 or images.shape[1] not in channels:
        raise UsageError(
            f"array {name} has shape {tuple(images.shape)}; give images (N, C, H, W) or (N, H, W, C) with 1, "
            f"3 or 4 "
            "channels, or feature vectors (N, D) on both sides"
        )
    if images.dtype == torch.uint8:
        return images.contiguous()
    takes = "uint8 images, or float images in [-1, 1]"
    if not images.is_floating_point():
        raise UsageError(f"array {name}: give {takes}, not {str(images.dtype).removeprefix('torch.')}")
    with usage_errors():
        check_range(f"array {name}", images, 1.0, takes)
    return to_uint8(images.float())
