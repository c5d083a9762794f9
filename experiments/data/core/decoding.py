"""Decoding of image files to pixels: which files are images, their headers, conversion and resizing."""

import io
import os
import struct
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from experiments.data.core.dataset import Fit

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
REMEDY = " (--skip-bad leaves such files out)"


class UnreadableError(ValueError):
    """Error of a file that is no image, is damaged or cannot be opened; `--skip-bad` leaves it out."""


class Store(ABC):
    """A store of files, such as a folder or a zip file, used by several threads at once."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Opens a file, seekable; raises whatever it likes where there is none."""

    @abstractmethod
    def name_of(self, name: str) -> str:
        """Names a file in messages."""

    @abstractmethod
    def stamp(self, name: str) -> str:
        """A line that changes when the content of a file may have changed."""


class Header(NamedTuple):
    """Size (height, width) of an image as it is shown, and its channels: 1 grey, 3 colour, 4 with alpha."""

    height: int
    width: int
    channels: int


def first_header(store: Store, names: Sequence[str], skip_bad: bool = False) -> Header | None:
    """The header of the first image.

    With `skip_bad`, it is that of the first whose header can be read, and None where there is none, which
    `open_images` says.
    """
    for name in names:
        try:
            return read_header(store, name)
        except UnreadableError:
            if not skip_bad:
                raise
    return None


def read_header(store: Store, name: str) -> Header:
    """Reads size and kind of a file, without its pixels. Raises UnreadableError."""
    with _name_file_in_errors(store, name), store.open(name) as file, Image.open(file) as image:
        channels = channels_of(image)
        return Header(*upright_size(image, file), channels)


def read_image(store: Store, name: str, channels: int) -> tuple[Header, Image.Image]:
    """Reads an image file, upright, in 8 bits; an animation's first frame. Raises UnreadableError."""
    with _name_file_in_errors(store, name):
        with store.open(name) as file:
            content = io.BytesIO(file.read())
        with Image.open(content) as image:
            native = channels_of(image)
            ImageOps.exif_transpose(image, in_place=True)
            return Header(image.height, image.width, native), convert(image, channels)


def channels_of(image: Image.Image) -> int:
    """Number of channels of an image: 1 for grey, 4 with transparency, else 3."""
    if image.has_transparency_data:
        return 4
    return 1 if image.mode in ("1", "L", "F") or image.mode.startswith("I") else 3


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


def resize(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Resizes an image to `size` (height, width), stretched, or else cropped."""
    height, width = size
    if image.size == (width, height):
        return image
    box = (0.0, 0.0, float(image.width), float(image.height))
    if fit != "stretch":  # the largest centred part of the aspect asked for, to the fraction of a pixel
        scale = max(width / image.width, height / image.height)
        x = max(0.0, (image.width - width / scale) / 2)
        y = max(0.0, (image.height - height / scale) / 2)
        box = (x, y, image.width - x, image.height - y)
    # Pillow widens the filter as it shrinks, and weighs colour by alpha: neither aliasing nor fringes.
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def convert(image: Image.Image, channels: int) -> Image.Image:
    """Converts an image to 8 bits; transparency is kept with 4 channels, else laid on white."""
    mode = MODES[channels]
    if image.mode == "F":
        raise ValueError("its pixels are floating-point, of unknown range; save it with 8 or 16 bits")
    if image.mode == "I" and image.format != "PNG":
        raise ValueError("its pixels are 32-bit integers, of unknown range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = _from_16_bits(image)
    if mode == "RGBA":
        return image.convert("RGBA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Converts a 16-bit image to mode L, or LA where one grey value stands for transparency.

    Pillow's convert() would clip, not scale; Pillow < 11 calls 16-bit PNGs "I".
    """
    values = np.asarray(image).clip(0, 65535)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


@contextmanager
def _name_file_in_errors(store: Store, name: str) -> Iterator[None]:
    """Turns any error while a file is read into one line that names the file."""
    bombs = ("error", None, Image.DecompressionBombWarning, None, 0)
    if bombs not in warnings.filters:  # Pillow would print its warning in the midst of a run, and go on
        warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        yield
    except MemoryError:
        raise  # says nothing of the file
    except Exception as error:  # decoders of damaged files raise anything
        reason = f"cannot be read: {' '.join(str(error).split()) or type(error).__name__}"
        if isinstance(error, OSError) and error.strerror:
            reason = f"cannot be read: {error.strerror}"
        elif isinstance(error, UnidentifiedImageError):
            reason = "is not an image, or is damaged"
        elif isinstance(error, (Image.DecompressionBombWarning, Image.DecompressionBombError)):
            reason = f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels, too many to be read safely: shrink it"
        raise UnreadableError(f"{store.name_of(name)} {reason}{REMEDY}") from error
