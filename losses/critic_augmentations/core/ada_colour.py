"""Colour transforms of ADA: one matrix for every image (StyleGAN2-ADA, appendix B, figure 15)."""

import math
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from losses.core.batch_parts import memory_format_of
from losses.core.critic_augmentation import Draws
from losses.core.device_copies import copy_to
from losses.critic_augmentations.core.affine import grey_projection, grey_rotation
from losses.critic_augmentations.core.gates import draw_normal, draw_uniform, gated

COLOURS = ("brightness", "contrast", "lumaflip", "hue", "saturation")


def draw_colours(transforms: Collection[str], rows: int) -> dict[str, Tensor]:
    """Draws values and gates of the colour transforms among those that are named."""
    draws = {}
    for name in (each for each in COLOURS if each in transforms):
        draw = draw_uniform if name in ("lumaflip", "hue") else draw_normal
        draws[f"{name}.value"], draws[f"{name}.gate"] = draw(rows), draw_uniform(rows)
    return draws


def colour_matrices(transforms: Collection[str], draws: Draws, probability: float, channels: int) -> Tensor:
    """Makes the matrices `(N, C + 1, C + 1)` of colours with a 1 behind them; hue needs three channels.

    With one channel they are the published ones for grey images: saturation changes nothing there, and a luma
    flip is a change of sign.
    """
    matrices = torch.eye(channels + 1, dtype=torch.float64)
    for name in (each for each in COLOURS if each in transforms and (each != "hue" or channels == 3)):
        value, gate = draws[f"{name}.value"].double(), draws[f"{name}.gate"]
        neutral, convert, make = STEPS[name]
        matrices = make(gated(convert(value), gate, probability, neutral), channels) @ matrices
    return matrices


def recolour(images: Tensor, matrices: Tensor) -> Tensor:
    """Changes the colours of images `(N, C, H, W)` by matrices; channels that these do not have stay."""
    own = matrices.shape[-1] - 1
    if images.shape[1] > own:
        changed = torch.cat([recolour(images[:, :own], matrices), images[:, own:]], dim=1)
        return changed.contiguous(memory_format=memory_format_of(images))
    matrices = copy_to(matrices.to(images.dtype), images.device)
    mixed = matrices[..., :own, :own] @ images.flatten(2) + matrices[..., :own, own:]
    return mixed.reshape(images.shape).contiguous(memory_format=memory_format_of(images))


def colour_channels(channels: int) -> int:
    """Channels of an image that are colours: of four, the last is the opacity, which no colour changes."""
    return 3 if channels == 4 else channels


def _move(offset: Tensor, channels: int) -> Tensor:
    matrices = torch.eye(channels + 1, dtype=torch.float64).repeat(len(offset), 1, 1)
    matrices[:, :channels, channels] = offset[:, None]
    return matrices


def _scale(factor: Tensor, channels: int) -> Tensor:
    matrices = torch.eye(channels + 1, dtype=torch.float64) * factor[:, None, None]
    matrices[:, channels, channels] = 1.0
    return matrices


def _flip(flips: Tensor, channels: int) -> Tensor:
    """Reflects through the plane at right angles to the grey axis: `x − 2 v vᵀ x`."""
    identity = torch.eye(channels + 1, dtype=torch.float64)
    return identity - 2 * flips[:, None, None] * grey_projection(channels)


def _saturate(factor: Tensor, channels: int) -> Tensor:
    """Scales the part at right angles to the grey axis."""
    grey = grey_projection(channels)
    grey[channels, channels] = 1.0
    return grey + (torch.eye(channels + 1, dtype=torch.float64) - grey) * factor[:, None, None]


# transform → neutral value, value from its draw, matrices from values
STEPS: dict[str, tuple[float, Callable[[Tensor], Tensor], Callable[[Tensor, int], Tensor]]] = {
    "brightness": (0.0, lambda n: 0.2 * n, _move),
    "contrast": (1.0, lambda n: (0.5 * n).exp2(), _scale),
    "lumaflip": (0.0, lambda u: (2 * u).floor(), _flip),
    "hue": (0.0, lambda u: (2 * u - 1) * math.pi, lambda angle, channels: grey_rotation(angle)),
    "saturation": (1.0, lambda n: n.exp2(), _saturate),
}
