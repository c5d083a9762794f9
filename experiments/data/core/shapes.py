"""Drawing of coloured shapes from their factors: hashing, signed distances, painting.

Everything per pixel is addition, multiplication, minimum, maximum and square root, which are rounded the
same way wherever a pixel lies in memory: one index gives one picture, to the bit, in any batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

CLASSES = ("disc", "ring", "square", "triangle", "star", "cross")

SIZES = (0.55, 0.75)
# So little that the largest shape stays inside, with a pixel to spare at 32: no factor limits another.
JITTER = 0.18
# A tilt within ±30° shows in the picture for every class that has corners (a star repeats after 72°, a
# square and a cross after 90°, a triangle after 120°), so that it can be told from the picture.
TILT = math.pi / 6
SATURATION = 0.8
BACKGROUND = (23 / 255, 26 / 255, 36 / 255)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow converts RGB to L


@dataclass(frozen=True)
class Factors:
    """Ground truth factors of B pictures: shape, hue, size, rotation and position.

    The unit of length is half the short side of the frame.

    Attributes:
        label: index into the classes, int64 `(B,)`.
        hue: on the circle of HSV, 0 red, ⅓ green, ⅔ blue, float32 `(B,)` in [0, 1).
        size: radius of the circle around the shape, float32 `(B,)` in [0.55, 0.75).
        rotation: clockwise, in radians, float32 `(B,)` in [−π/6, π/6); discs and rings do not show it.
        position: of the centre, from the middle of the frame, x to the right and y down, float32 `(B, 2)`
            in [−0.18, 0.18).
    """

    label: Tensor
    hue: Tensor
    size: Tensor
    rotation: Tensor
    position: Tensor


def factors_at(indices: Tensor) -> Factors:
    """Draws the factors of the pictures at `indices` (int64, `(B,)`), a pure function of each index."""
    label, hue, size, rotation, x, y = (uniform(indices, stream) for stream in range(6))
    return Factors(
        label=(label * len(CLASSES)).long(),
        hue=hue,
        size=SIZES[0] + (SIZES[1] - SIZES[0]) * size,
        rotation=TILT * (2 * rotation - 1),
        position=JITTER * (2 * torch.stack([x, y], dim=1) - 1),
    )


def distances(factors: Factors, size: tuple[int, int]) -> Tensor:
    """Signed distance of every pixel's centre from the outline, in pixels, < 0 inside: `(B, H, W)`."""
    height, width = size
    half = min(height, width) / 2
    device = factors.label.device
    rows = (torch.arange(height, device=device) + 0.5 - height / 2) / half
    columns = (torch.arange(width, device=device) + 0.5 - width / 2) / half
    distance = torch.empty(len(factors.label), height, width, device=device)
    # The few numbers per picture are worked out in float64: float32 sines may differ between batch sizes.
    cosine = factors.rotation.double().cos().float()
    sine = factors.rotation.double().sin().float()
    for label, outline in enumerate(_OUTLINES):
        chosen = (factors.label == label).nonzero()[:, 0]
        radius = factors.size[chosen, None, None]
        x = (columns[None, None, :] - factors.position[chosen, 0, None, None]) / radius
        y = (rows[None, :, None] - factors.position[chosen, 1, None, None]) / radius
        c, s = cosine[chosen, None, None], sine[chosen, None, None]
        distance[chosen] = outline(c * x + s * y, c * y - s * x) * (radius * half)
    return distance


def coverage(distance: Tensor) -> Tensor:
    """Coverage of each pixel by the shape, in [0, 1], from the signed distance in pixels: anti-aliasing."""
    return (0.5 - distance).clamp_(0, 1)


def outline(distance: Tensor, width: float | Tensor, outside: float = 0.0) -> Tensor:
    """Coverage of each pixel by a line along the edge, in [0, 1], from the signed distance in pixels.

    It lies inside of the shape, but for the part `outside`, in pixels.
    """
    return coverage((distance + (width / 2 - outside)).abs() - width / 2)


def colours(hue: Tensor) -> Tensor:
    """Vivid RGB colours `(B, 3)` in [0, 1] of hues `(B,)` in [0, 1): HSV at full value."""
    sixths = 6 * hue[:, None]
    offsets = torch.tensor([[5.0, 3.0, 1.0]], device=hue.device)
    k = (offsets + sixths) % 6
    return 1 - SATURATION * torch.minimum(k, 4 - k).clamp(0, 1)


def paint(cover: Tensor, colour: Tensor, channels: int) -> Tensor:
    """Paints pictures uint8 `(B, channels, H, W)` from coverage `(B, H, W)` and colour `(B, 3)`.

    Channels: 1 is luma, 3 is RGB on the plain background, 4 is RGB with straight alpha: the colour fills
    the whole picture and alpha alone draws the shape, so that no edge carries a fringe of background.
    """
    if channels == 4:
        plain = colour[:, :, None, None].expand(-1, -1, *cover.shape[1:])
        return quantize_in_place(torch.cat([plain, cover[:, None]], dim=1))
    background = torch.tensor(BACKGROUND, device=cover.device).expand_as(colour)
    if channels == 1:
        colour, background = luma_of(colour), luma_of(background)
    elif channels != 3:
        raise ValueError(f"shapes are drawn with 1, 3 or 4 channels, not {channels}")
    span = (colour - background)[:, :, None, None]
    return quantize_in_place(background[:, :, None, None] + span * cover[:, None])


def luma_of(colour: Tensor) -> Tensor:
    """Converts RGB `(B, 3)` to grey `(B, 1)`."""
    return (colour * torch.tensor(LUMA, device=colour.device)).sum(1, keepdim=True)


def quantize_in_place(values: Tensor) -> Tensor:
    """Rounds values in [0, 1] to uint8, in place."""
    return values.mul_(255).add_(0.5).to(torch.uint8)  # the cast cuts off, so this rounds


def uniform(indices: Tensor, stream: int) -> Tensor:
    """Uniform random numbers, float32 in [0, 1), as a function of counters `indices` and a stream of 8.

    The generator is splitmix64 (Steele et al. 2014).
    """
    z = (8 * indices.long() + stream + 1) * _to_signed(0x9E3779B97F4A7C15)
    z = (z ^ _shift_right(z, 30)) * _to_signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shift_right(z, 27)) * _to_signed(0x94D049BB133111EB)
    z = z ^ _shift_right(z, 31)
    return _shift_right(z, 40).float() / 2**24  # 24 bits fit a float32 exactly


def _to_signed(word: int) -> int:
    """Reinterprets 64 bits as a signed integer, which tensors have; their products wrap around."""
    return word - 2**64 if word >= 2**63 else word


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Shifts bits right logically: a signed tensor's own shift would draw in copies of the sign."""
    return (z >> bits) & (2 ** (64 - bits) - 1)


# Outlines: signed distance of the points (x, y) from a figure that the unit circle just holds, tip upwards.


def _disc(x: Tensor, y: Tensor) -> Tensor:
    return (x * x + y * y).sqrt_() - 1


def _ring(x: Tensor, y: Tensor) -> Tensor:
    return ((x * x + y * y).sqrt_() - 0.76).abs_() - 0.24


def _box(x: Tensor, y: Tensor, half_width: float, half_height: float) -> Tensor:
    x, y = x.abs() - half_width, y.abs() - half_height
    outside = (x.clamp(min=0).square_() + y.clamp(min=0).square_()).sqrt_()
    return outside + torch.maximum(x, y).clamp_(max=0)


def _square(x: Tensor, y: Tensor) -> Tensor:
    return _box(x, y, math.sqrt(0.5), math.sqrt(0.5))


def _cross(x: Tensor, y: Tensor) -> Tensor:
    x, y = x.abs(), y.abs()  # four arms are one arm, seen in mirrors
    return _box(torch.maximum(x, y), torch.minimum(x, y), math.cos(0.3), math.sin(0.3))


def _triangle(x: Tensor, y: Tensor) -> Tensor:
    x, y = _mirror(x.abs(), -y, math.pi / 3)
    return _edge(x.abs(), y, math.pi / 3, math.cos(math.pi / 3))


def _star(x: Tensor, y: Tensor) -> Tensor:
    x, y = _mirror(x.abs(), -y, 2 * math.pi / 5)
    x, y = _mirror(x.abs(), y, math.pi / 5)
    return _edge(x, y, math.pi / 5, 0.48)


def _mirror(x: Tensor, y: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Reflects points beyond the line at `angle` from the upward axis (y up) to this side of it."""
    normal_x, normal_y = math.cos(angle), -math.sin(angle)
    beyond = (x * normal_x + y * normal_y).clamp_(min=0).mul_(2)
    return x - beyond * normal_x, y - beyond * normal_y


def _edge(x: Tensor, y: Tensor, angle: float, radius: float) -> Tensor:
    """Signed distance from the edge between the tip (0, 1) and the corner at `angle`, `radius`."""
    edge_x, edge_y = radius * math.sin(angle), radius * math.cos(angle) - 1
    y = y - 1
    along = ((x * edge_x + y * edge_y) / (edge_x**2 + edge_y**2)).clamp_(0, 1)
    away = ((x - along * edge_x).square_() + (y - along * edge_y).square_()).sqrt_()
    return torch.copysign(away, x * -edge_y + y * edge_x)


_OUTLINES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (_disc, _ring, _square, _triangle, _star, _cross)
