"""Mirrors images left and right, with a probability."""

from typing import ClassVar

import torch
from torch import Tensor

from experiments.augmentations.core.augmentation import Augmentation


class Flip(Augmentation):
    """Random mirroring with probability `strength`, by default ½."""

    usual_strength: ClassVar[float] = 0.5

    def apply(self, images: Tensor, strength: float) -> Tensor:
        flipped = torch.rand(len(images), 1, 1, 1, device=images.device) < strength
        return torch.where(flipped, images.flip(3), images)
