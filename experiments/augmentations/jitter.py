"""Changes brightness, contrast and saturation of images, each by a random factor."""

from typing import ClassVar

import torch
from torch import Tensor

from experiments.augmentations.core.augmentation import Augmentation
from losses.core.batch_parts import uniform_each


class Jitter(Augmentation):
    """Random brightness, contrast and saturation: factors in [1 − strength, 1 + strength], by default 0.2.

    The opacity of RGBA is left alone, and grey images have no saturation.
    """

    usual_strength: ClassVar[float] = 0.2
    keeps_partners: ClassVar[bool] = False  # two domains have no common brightness

    def apply(self, images: Tensor, strength: float) -> Tensor:
        colours, opacity = images[:, :3], images[:, 3:]
        brightness, contrast, saturation = (1 + strength * (2 * uniform_each(images) - 1) for _ in range(3))
        light = (colours + 1) * brightness - 1
        level = light.mean(dim=(1, 2, 3), keepdim=True)
        light = level + (light - level) * contrast
        grey = light.mean(dim=1, keepdim=True)
        return torch.cat([(grey + (light - grey) * saturation).clamp(-1, 1), opacity], dim=1)
