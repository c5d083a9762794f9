"""Changes what the critic sees with a probability that follows overfitting (ADA, Karras et al. 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from losses.core.adaptive_probability import AdaptiveOptions
from losses.core.batch_parts import draw_like
from losses.core.critic_augmentation import CriticAugmentation, Draws
from losses.core.device_copies import copy_to
from losses.core.options import option
from losses.critic_augmentations.core.ada_colour import (
    COLOURS,
    colour_channels,
    colour_matrices,
    draw_colours,
    recolour,
)
from losses.critic_augmentations.core.ada_geometry import GEOMETRY, draw_geometry, inverse_transforms
from losses.critic_augmentations.core.bands import BANDS, REACH, band_filters, band_gains, filter_images
from losses.critic_augmentations.core.gates import draw_normal, draw_uniform, gated
from losses.critic_augmentations.core.resampling import resample

USUAL = "bgc"  # pixel blitting, geometry and colour: the twelve of the authors' final set
LARGEST_NOISE = 0.1  # deviation of the deviation of the noise
HOLE = 0.5  # sides of what cutout removes, in sides of the image


@dataclass(frozen=True)
class AdaOptions(AdaptiveOptions):
    """Options of ADA: what steers its probability, and its transforms."""

    transforms: tuple[str, ...] = option(
        (USUAL,),
        "Transforms, by name; bgc are the twelve of geometry and colour.",
        choices=(USUAL, *GEOMETRY, *COLOURS, "imgfilter", "noise", "cutout"),
    )
    colour_share: float = option(
        1.0,
        "Probability of the colour transforms, as a share of that of the others.",
        at_least=0.0,
        at_most=1.0,
    )


class Ada(CriticAugmentation):
    """Adaptive discriminator augmentation: each transform is applied to an image with probability p.

    In this order: flips, quarter turns, shifts by whole pixels, scale, rotation, aspect, rotation and
    shifts by fractions, as one resampling; brightness, contrast, luma flip, hue and saturation, as one
    matrix; and, where they are asked for, a filter of frequency bands, noise and cutout. All of it is
    affine in the images.

    >>> import torch
    >>> from losses.critic_augmentations.ada import Ada
    >>> pipe = Ada()
    >>> x = torch.rand(2, 3, 8, 8)
    >>> pipe.apply(x, pipe.draw(x), 0.5).shape
    torch.Size([2, 3, 8, 8])
    """

    takes_probability: ClassVar[bool] = True
    options_type: ClassVar[type] = AdaOptions

    def __init__(self, options: AdaOptions = AdaOptions()) -> None:
        self.options = options
        usual = {*GEOMETRY, *COLOURS} if USUAL in options.transforms else set[str]()
        self.transforms = frozenset(usual | set(options.transforms) - {USUAL})

    def check(self, channels: int, smallest_side: int) -> None:
        if "imgfilter" in self.transforms and smallest_side <= REACH:
            raise ValueError(
                f"its transform imgfilter reflects {REACH} pixels, and the critic sees images of "
                f"{smallest_side}; take --set ada.transforms=bgc, or larger images"
            )
        colours = colour_channels(channels)
        idle = ({"hue"} if colours != 3 else set()) | ({"saturation"} if colours == 1 else set())
        if not self.transforms - idle:
            names = " and ".join(sorted(self.transforms)) or "no transform"
            raise ValueError(
                f"{names} changes nothing in images of {channels} channels; take --set ada.transforms=bgc"
            )

    def draw(self, images: Tensor) -> Draws:
        rows = len(images)
        draws = {**draw_geometry(self.transforms, rows), **draw_colours(self.transforms, rows)}
        if "imgfilter" in self.transforms:
            for band in range(BANDS):
                draws[f"imgfilter.band{band}.value"] = draw_normal(rows)
                draws[f"imgfilter.band{band}.gate"] = draw_uniform(rows)
        if "noise" in self.transforms:
            draws |= {"noise.sigma": draw_normal(rows), "noise.gate": draw_uniform(rows)}
            draws["noise.pixels"] = draw_like(torch.randn_like, images.detach())
        if "cutout" in self.transforms:
            draws |= {"cutout.gate": draw_uniform(rows), "cutout.center": draw_uniform(rows, 2)}
        return draws

    def apply(self, images: Tensor, draws: Draws, probability: float) -> Tensor:
        if not self.transforms.isdisjoint(GEOMETRY):
            size = images.shape[2:]
            images = resample(images, inverse_transforms(self.transforms, draws, probability, *size))
        if not self.transforms.isdisjoint(COLOURS):
            share, channels = probability * self.options.colour_share, colour_channels(images.shape[1])
            images = recolour(images, colour_matrices(self.transforms, draws, share, channels))
        if "imgfilter" in self.transforms:
            images = filter_images(images, band_weights(draws, probability) @ band_filters())
        if "noise" in self.transforms:
            images = images + draws["noise.pixels"] * noise_deviations(draws, probability, images)
        if "cutout" in self.transforms:
            images = images * kept_pixels(draws, probability, images)
        return images


def band_weights(draws: Draws, probability: float) -> Tensor:
    """Gains of the frequency bands, float64 `(N, 4)`; each band has a gate of its own."""
    factors = [
        gated(
            draws[f"imgfilter.band{band}.value"].double().exp2(),
            draws[f"imgfilter.band{band}.gate"],
            probability,
            1.0,
        )
        for band in range(BANDS)
    ]
    return band_gains(torch.stack(factors, dim=1))


def noise_deviations(draws: Draws, probability: float, images: Tensor) -> Tensor:
    """Standard deviations of the noise in images, `(N, 1, 1, 1)`."""
    sigma = gated(draws["noise.sigma"].double().abs() * LARGEST_NOISE, draws["noise.gate"], probability, 0.0)
    return copy_to(sigma.to(images.dtype), images.device).view(-1, 1, 1, 1)


def kept_pixels(draws: Draws, probability: float, images: Tensor) -> Tensor:
    """Mask of the pixels that cutout leaves, 1 or 0, `(N, 1, H, W)`."""
    half = gated(torch.full_like(draws["cutout.gate"], HOLE / 2), draws["cutout.gate"], probability, 0.0)
    outside = []
    for axis, size in ((0, images.shape[3]), (1, images.shape[2])):
        position = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        center = draws["cutout.center"][:, axis].double()
        outside.append((position - center[:, None]).abs() >= half[:, None])
    kept = outside[1][:, :, None] | outside[0][:, None, :]
    return copy_to(kept[:, None].to(images.dtype), images.device)
