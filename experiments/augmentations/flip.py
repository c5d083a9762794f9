"""Mirrors images left and right, with a probability."""

from typing import ClassVar

import torch
from torch import Tensor

from experiments.augmentations.core.augmentation import Augmentation
from losses.core.batch_parts import uniform_each


class Flip(Augmentation):
    """Random mirroring with probability `strength`, by default ½."""

    usual_strength: ClassVar[float] = 0.5

    def apply(self, images: Tensor, strength: float) -> Tensor:
        flipped = uniform_each(images) < strength
        return torch.where(flipped, images.flip(3), images)
