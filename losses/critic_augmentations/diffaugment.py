"""Changes colours, shifts and cuts out what the critic sees, always (DiffAugment, Zhao et al. 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from losses.core.batch_parts import draw_rows, memory_format_of
from losses.core.critic_augmentation import CriticAugmentation, Draws
from losses.core.device_copies import copy_to
from losses.core.options import option
from losses.critic_augmentations.core.ada_colour import colour_channels
from losses.critic_augmentations.core.gates import draw_uniform

SHIFT, HOLE = 1 / 8, 1 / 2  # largest shift, and the hole's sides, in sides of the image


@dataclass(frozen=True)
class DiffAugmentOptions:
    """Options of DiffAugment."""

    policy: tuple[str, ...] = option(
        ("color", "translation", "cutout"),
        "Changes, in their order.",
        choices=("color", "translation", "cutout"),
    )


class DiffAugment(CriticAugmentation):
    """Differentiable augmentation (arXiv:2006.10738, section 3.2): changes made at every call.

    `color`: brightness `x + (u − ½)`, then saturation about the mean of the channels by `2u`, then contrast
    about the image's mean by `u + ½`. `translation`: by up to an eighth of each side; zeros enter.
    `cutout`: a hole of half of each side, filled with zeros.

    >>> import torch
    >>> from losses.critic_augmentations.diffaugment import DiffAugment
    >>> change = DiffAugment()
    >>> x = torch.rand(2, 3, 8, 8)
    >>> change.apply(x, change.draw(x), 1.0).shape
    torch.Size([2, 3, 8, 8])
    """

    options_type: ClassVar[type] = DiffAugmentOptions

    def __init__(self, options: DiffAugmentOptions = DiffAugmentOptions()) -> None:
        self.options = options

    def draw(self, images: Tensor) -> Draws:
        rows, sides = len(images), images.shape[2:]
        draws: dict[str, Tensor] = {}
        for change in self.options.policy:
            if change == "color":
                draws |= {name: draw_uniform(rows) for name in ("brightness", "saturation", "contrast")}
            elif change == "translation":
                for name, side in zip(("translation_rows", "translation_columns"), sides, strict=True):
                    draws[name] = _draw_whole(rows, -_share(SHIFT, side), _share(SHIFT, side))
            else:
                for name, side in zip(("cutout_row", "cutout_column"), sides, strict=True):
                    draws[name] = _draw_whole(rows, 0, side - _share(HOLE, side) % 2)
        return draws

    def apply(self, images: Tensor, draws: Draws, probability: float) -> Tensor:
        changes = {"color": change_colours, "translation": translate, "cutout": cut_out}
        for change in self.options.policy:
            images = changes[change](images, draws)
        return images


def change_colours(images: Tensor, draws: Draws) -> Tensor:
    """Changes brightness, saturation and contrast of images `(N, C, H, W)`; of four channels, not opacity."""
    brightness, saturation, contrast = (
        copy_to(draws[name].to(images.dtype), images.device).view(-1, 1, 1, 1)
        for name in ("brightness", "saturation", "contrast")
    )
    colours, opacity = images.tensor_split([colour_channels(images.shape[1])], dim=1)
    colours = colours + (brightness - 0.5)
    grey = colours.mean(dim=1, keepdim=True)
    colours = (colours - grey) * (2 * saturation) + grey
    mean = colours.mean(dim=(1, 2, 3), keepdim=True)
    colours = (colours - mean) * (contrast + 0.5) + mean
    return torch.cat([colours, opacity], dim=1) if opacity.shape[1] else colours


def translate(images: Tensor, draws: Draws) -> Tensor:
    """Moves images `(N, C, H, W)` up and left by whole pixels: `y[i, j] = x[i + rows, j + columns]`."""
    names, sides = ("translation_rows", "translation_columns"), images.shape[2:]
    sources = [
        torch.arange(side) + draws[name].long()[:, None] for name, side in zip(names, sides, strict=True)
    ]
    inside = [(each >= 0) & (each < side) for each, side in zip(sources, sides, strict=True)]
    rows, columns = (
        copy_to(each.clamp(0, side - 1), images.device) for each, side in zip(sources, sides, strict=True)
    )
    mask = copy_to((inside[0][:, :, None] & inside[1][:, None, :])[:, None].to(images.dtype), images.device)
    each_image = torch.arange(len(images), device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[each_image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return (moved * mask).contiguous(memory_format=memory_format_of(images))


def cut_out(images: Tensor, draws: Draws) -> Tensor:
    """Sets a rectangle of each image `(N, C, H, W)` to 0."""
    removed = []
    for name, side in zip(("cutout_row", "cutout_column"), images.shape[2:], strict=True):
        hole = _share(HOLE, side)
        first = draws[name].long()[:, None] - hole // 2
        removed.append((torch.arange(side) >= first) & (torch.arange(side) < first + hole))
    kept = ~(removed[0][:, :, None] & removed[1][:, None, :])
    return images * copy_to(kept[:, None].to(images.dtype), images.device)


def _share(share: float, side: int) -> int:
    """A share of a side, to the nearest pixel."""
    return int(side * share + 0.5)


def _draw_whole(rows: int, low: int, high: int) -> Tensor:
    """Draws whole numbers from `low` to `high`, both included, `(rows,)`."""
    return draw_rows(lambda count: torch.randint(low, high + 1, (count,), device="cpu"), rows)
