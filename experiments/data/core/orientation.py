"""Orientation of image files: their sizes as they are shown, mostly found without decoding them."""

import os
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {  # by Exif's orientation, of arrays (H, W, C)
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda x: np.rot90(x),
}


def turn_upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turns an array `(H, W, C)` upright, as `ImageOps.exif_transpose` does an image of this orientation."""
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(values)) if turn else values


def is_on_its_side(orientation: int) -> bool:
    """Whether an image of this orientation has its width and height exchanged."""
    return 5 <= orientation <= 8


def upright_size(image: Image.Image, file: BinaryIO) -> tuple[int, int]:
    """Size (height, width) of an image just opened from `file`, as it is shown.

    Mostly this decodes nothing.
    """
    if image.width != image.height and (image.format != "PNG" or _may_be_turned(image, file)):
        on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        if on_its_side and image.format == "JPEG":
            return image.width, image.height
        if on_its_side:  # Pillow has turned the size of some kinds already
            ImageOps.exif_transpose(image, in_place=True)
    return image.height, image.width


def is_turned_by_decoding(image: Image.Image, file: BinaryIO) -> bool:
    """Whether an image just opened has to be decoded to find out how it is shown."""
    if image.width == image.height or image.format == "JPEG":
        return False
    if image.format == "PNG":
        return _may_be_turned(image, file)
    return image.getexif().get(ExifTags.Base.Orientation, 1) >= 5


def _may_be_turned(image: Image.Image, file: BinaryIO) -> bool:
    """Whether a PNG says anything of its orientation, which Pillow would decode it all to find out."""
    if any("exif" in str(key) or "xmp" in str(key) for key in image.info):
        return True
    file.seek(8)
    pixels = False
    while len(chunk := file.read(8)) == 8 and chunk[4:] != b"IEND":
        pixels = pixels or chunk[4:] == b"IDAT"
        if pixels and chunk[4:] != b"IDAT":  # words that come after the pixels
            break
        file.seek(struct.unpack(">I", chunk[:4])[0] + 4, os.SEEK_CUR)
    return chunk[4:] not in (b"IEND", b"")
