"""Geometric transforms of ADA: one matrix for every image (StyleGAN2-ADA, appendix B, figure 15)."""

import math
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from losses.core.critic_augmentation import Draws
from losses.critic_augmentations.core.affine import rotation, scaling, translation
from losses.critic_augmentations.core.gates import draw_normal, draw_uniform, gated

GEOMETRY = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")
LARGEST_SHIFT = 0.125  # of whole pixels, in sides; of fractions it is the deviation
DEVIATION = 0.2  # of the binary logarithms of scales and of aspect ratios
Rule = Callable[[Tensor, int, int], Tensor]  # (values, height, width) → inverse matrices


def draw_geometry(transforms: Collection[str], rows: int) -> dict[str, Tensor]:
    """Draws values and gates of the geometric transforms among those that are named."""
    draws = {}
    for name in _steps(transforms):
        draw = draw_normal if name in ("scale", "aniso", "xfrac") else draw_uniform
        draws[f"{name}.value"] = draw(rows, *[2] * (name in ("xint", "xfrac")))
        draws[f"{name}.gate"] = draw_uniform(rows)
    return draws


def inverse_transforms(
    transforms: Collection[str], draws: Draws, probability: float, height: int, width: int
) -> Tensor:
    """Makes the matrices `(N, 3, 3)` from positions in the result to those in the image, in pixels.

    The image meets the flip first and the shift by fractions last. Both rotations together are made with the
    probability, each with `1 − √(1 − p)`.
    """
    inverse = torch.eye(3, dtype=torch.float64)
    for name in _steps(transforms):
        own = probability
        if name.startswith("rotate_"):
            own = 1 - math.sqrt(min(max(1 - probability, 0.0), 1.0))
        value, gate = draws[f"{name}.value"].double(), draws[f"{name}.gate"]
        neutral, convert, make = STEPS[name]
        inverse = inverse @ make(gated(convert(value), gate, own, neutral), height, width)
    return inverse


def _steps(transforms: Collection[str]) -> list[str]:
    """Steps of the named transforms, in their order: rotations before and after the change of aspect."""
    own = {"rotate_before": "rotate", "rotate_after": "rotate"}
    return [step for step in STEPS if own.get(step, step) in transforms]


def _to_angle(u: Tensor) -> Tensor:
    return (2 * u - 1) * math.pi


def _to_scale(n: Tensor) -> Tensor:
    return (DEVIATION * n).exp2()


def _turn(angle: Tensor, height: int, width: int) -> Tensor:
    """Turns anticlockwise on the screen, whose y axis points down."""
    return rotation(angle)


def _shift_pixels(shares: Tensor, height: int, width: int) -> Tensor:
    return translation(-(shares[:, 0] * width).round(), -(shares[:, 1] * height).round())


def _shift(shares: Tensor, height: int, width: int) -> Tensor:
    return translation(-shares[:, 0] * width, -shares[:, 1] * height)


# step → neutral value, value from its draw, inverse matrices from values
STEPS: dict[str, tuple[float, Callable[[Tensor], Tensor], Rule]] = {
    "xflip": (0.0, lambda u: (2 * u).floor(), lambda flips, h, w: scaling(1 - 2 * flips, 1.0)),
    "rotate90": (0.0, lambda u: (4 * u).floor(), lambda turns, h, w: rotation(math.pi / 2 * turns)),
    "xint": (0.0, lambda u: (2 * u - 1) * LARGEST_SHIFT, _shift_pixels),
    "scale": (1.0, _to_scale, lambda scale, h, w: scaling(1 / scale, 1 / scale)),
    "rotate_before": (0.0, _to_angle, _turn),
    "aniso": (1.0, _to_scale, lambda scale, h, w: scaling(1 / scale, scale)),
    "rotate_after": (0.0, _to_angle, _turn),
    "xfrac": (0.0, lambda n: LARGEST_SHIFT * n, _shift),
}
