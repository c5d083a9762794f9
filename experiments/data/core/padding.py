"""Padding of images (`--fit pad`): whole and undistorted, in the middle of a border of zeros."""

from typing import NamedTuple

from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad


class InnerBox(NamedTuple):
    """The place of a whole image in the middle of a padded one, in pixels."""

    top: int
    left: int
    height: int
    width: int


def inner_box(own: tuple[int, int], size: tuple[int, int]) -> InnerBox:
    """The place of an image of size `own` (height, width) that is scaled to fit into `size` as a whole."""
    scale = min(size[0] / own[0], size[1] / own[1])
    height, width = (max(1, round(side * scale)) for side in own)
    return InnerBox((size[0] - height) // 2, (size[1] - width) // 2, height, width)


def pad_picture(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scales an image and pads it to `size` (height, width) with black; with alpha, transparently."""
    inner = inner_box((image.height, image.width), size)
    canvas = Image.new(image.mode, (size[1], size[0]))  # of zeros
    canvas.paste(image.resize((inner.width, inner.height), Image.Resampling.LANCZOS), (inner.left, inner.top))
    return canvas


def pad_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Scales images `(N, C, h, w)`, floating-point, antialiased, and pads them to `size` with zeros."""
    inner = inner_box((images.shape[2], images.shape[3]), size)
    scaled = interpolate(images, (inner.height, inner.width), mode="bilinear", antialias=True)
    below, right = size[0] - inner.top - inner.height, size[1] - inner.left - inner.width
    return pad(scaled, (inner.left, right, inner.top, below))
