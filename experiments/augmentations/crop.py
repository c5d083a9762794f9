"""Shifts images by up to a share of each side, by whole pixels; the border is mirrored, or cut away."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from experiments.augmentations.core.augmentation import Augmentation
from losses.core.batch_parts import draw_rows
from losses.core.options import option


@dataclass(frozen=True)
class CropOptions:
    """Options of random crops: what stands at the border."""

    border: str = option(
        "mirror",
        "Border of shifted images: their mirror image, or none, with images that are enlarged before by the "
        "strength, a share of each side, and cut to their size.",
        choices=("mirror", "enlarge"),
    )


class Crop(Augmentation):
    """Random shift of images by up to `strength` of each side, by default an eighth.

    Enlarged images are those of pix2pix and CycleGAN: of 286 pixels, 256 are cut out, a strength of 30/256.
    """

    usual_strength: ClassVar[float] = 0.125
    options_type: ClassVar[type] = CropOptions

    def __init__(self, options: CropOptions = CropOptions()) -> None:
        self.options = options

    def apply(self, images: Tensor, strength: float) -> Tensor:
        if self.options.border == "enlarge":
            return _cut_from_enlarged(images, strength)
        count, _, height, width = images.shape
        shifts = []
        for side in (height, width):
            reach = min(int(side * strength), side - 1)
            pixels = _draw_integers(-reach, reach, images)
            shifts.append(_mirror(torch.arange(side, device=images.device) + pixels, side))
        rows, columns = shifts
        samples = torch.arange(count, device=images.device)[:, None, None]
        moved = images.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]]
        return moved.permute(0, 3, 1, 2)


def _draw_integers(low: int, high: int, images: Tensor) -> Tensor:
    """Draws an integer from low to high for each image, `(N, 1)`."""
    return draw_rows(lambda rows: torch.randint(low, high + 1, (rows, 1), device=images.device), len(images))


def _mirror(indices: Tensor, side: int) -> Tensor:
    """Reflects indices beyond the border at it, without repeating it."""
    positive = indices.abs()
    return torch.where(positive >= side, 2 * (side - 1) - positive, positive)


def _cut_from_enlarged(images: Tensor, strength: float) -> Tensor:
    """Enlarges images by a share of each side, bicubically, and cuts out a random part of the old size."""
    count, _, height, width = images.shape
    sizes = [round(side * (1 + strength)) for side in (height, width)]
    large = interpolate(images, sizes, mode="bicubic", antialias=True).clamp(-1, 1)
    rows, columns = (
        torch.arange(side, device=images.device) + _draw_integers(0, whole - side, images)
        for side, whole in zip((height, width), sizes, strict=True)
    )
    samples = torch.arange(count, device=images.device)[:, None, None]
    return large.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
