"""Random changes of the reals before the critic sees them: `--augment flip,crop,jitter`.

Each takes images `(N, C, H, W)` in [−1, 1] and a strength, and changes each image by its own draw. They
enlarge the data: what they make (mirrored, shifted, recoloured pictures) the generator learns to make too.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Augmentation = Callable[[Tensor, float], Tensor]


def flip(images: Tensor, probability: float) -> Tensor:
    """Mirrors left and right."""
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < probability
    return torch.where(chosen, images.flip(3), images)


def crop(images: Tensor, share: float) -> Tensor:
    """Shifts by up to a share of each side, by whole pixels; what moves in is the mirrored border."""
    count, _, height, width = images.shape
    shifts = []
    for side in (height, width):
        reach = min(int(side * share), side - 1)
        pixels = torch.randint(-reach, reach + 1, (count, 1), device=images.device)
        shifts.append(_mirrored(torch.arange(side, device=images.device) + pixels, side))
    rows, columns = shifts
    samples = torch.arange(count, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _mirrored(places: Tensor, side: int) -> Tensor:
    """Indices beyond the border, reflected at it without repeating it."""
    folded = places.abs()
    return torch.where(folded >= side, 2 * (side - 1) - folded, folded)


def jitter(images: Tensor, strength: float) -> Tensor:
    """Changes brightness, contrast and saturation, each by a factor in [1 − strength, 1 + strength].

    The opacity of RGBA is left alone, and grey images have no saturation.
    """
    colours, opacity = images[:, :3], images[:, 3:]
    brightness, contrast, saturation = (
        1 + strength * (2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1) for _ in range(3)
    )
    light = (colours + 1) * brightness - 1
    level = light.mean(dim=(1, 2, 3), keepdim=True)
    light = level + (light - level) * contrast
    grey = light.mean(dim=1, keepdim=True)
    return torch.cat([(grey + (light - grey) * saturation).clamp(-1, 1), opacity], dim=1)


AUGMENTATIONS: dict[str, Augmentation] = {"flip": flip, "crop": crop, "jitter": jitter}
