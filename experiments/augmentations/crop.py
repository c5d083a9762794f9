"""Shifts images by up to a share of each side, by whole pixels; the border is mirrored."""

from typing import ClassVar

import torch
from torch import Tensor

from experiments.augmentations.core.augmentation import Augmentation


class Crop(Augmentation):
    """Random shift of images by up to `strength` of each side, by default an eighth."""

    usual_strength: ClassVar[float] = 0.125

    def apply(self, images: Tensor, strength: float) -> Tensor:
        count, _, height, width = images.shape
        shifts = []
        for side in (height, width):
            reach = min(int(side * strength), side - 1)
            pixels = torch.randint(-reach, reach + 1, (count, 1), device=images.device)
            shifts.append(_mirror(torch.arange(side, device=images.device) + pixels, side))
        rows, columns = shifts
        samples = torch.arange(count, device=images.device)[:, None, None]
        moved = images.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]]
        return moved.permute(0, 3, 1, 2)


def _mirror(indices: Tensor, side: int) -> Tensor:
    """Reflects indices beyond the border at it, without repeating it."""
    positive = indices.abs()
    return torch.where(positive >= side, 2 * (side - 1) - positive, positive)
