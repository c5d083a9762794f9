"""Decoding of image files: which files are images, their headers, and the memory that they may take."""

import io
import os
import struct
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError, features

from experiments.data.core import sixteen_bits
from experiments.data.core.conversion import channels_of, convert
from experiments.data.core.sixteen_bits import WHOLE_RANGE

# The formats of pixels that Pillow reads by itself. Others, such as EPS, make it start a program, or hold no
# pixels.
FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "TGA": (".tga",),
    "PCX": (".pcx",),
    "SGI": (".sgi",),
    "QOI": (".qoi",),
}
# Libraries that Pillow may have been built without.
_LIBRARIES = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}
_SUPPORTED = features.get_supported()
READABLE = tuple(name for name in FORMATS if _LIBRARIES.get(name) in (None, *_SUPPORTED))
IMAGE_ENDINGS = tuple(ending for name in READABLE for ending in FORMATS[name])
MOST_BYTES = 192 * 2**20  # of a file
# Memory of decoding: of one image, and of all that are decoded at once. A pixel takes, with all copies, so
# many bytes (measured); in some formats its library has copies of its own.
MOST_DECODING_BYTES = 448 * 2**20
PIXEL_BYTES, PIXEL_BYTES_OF = 10, {"JPEG2000": 25, "WEBP": 17, "AVIF": 13}
MOST_SURVEYED_PIXELS = (
    MOST_DECODING_BYTES // sixteen_bits.PIXEL_BYTES
)  # of an image whose values are looked at
MOST_TEXT_BYTES = 128 * 2**20  # of a list of labels or attributes
LARGE_BYTES = 16 * 2**20  # larger files are read one at a time, so that several do not fill the memory
STEP_BYTES = 2**20
_large_file = threading.Lock()
TOO_LARGE = "has more than {:,} pixels, too many to be read safely: shrink it"
REMEDY = " (--skip-bad leaves such files out)"


class UnreadableError(ValueError):
    """Error of a file that is no image, is damaged or cannot be opened; `--skip-bad` leaves it out."""


class TooLargeError(ValueError):
    """Error of an image with too many pixels to be decoded."""


class Store(ABC):
    """A store of files, such as a folder or a zip file, used by several threads at once.

    Attributes:
        value_range: values of 16-bit images that become black and white.
    """

    value_range: tuple[int, int] = WHOLE_RANGE

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
    with _name_file_in_errors(store, name), store.open(name) as file, _open(file) as image:
        channels = channels_of(image)
        return Header(*upright_size(image, file), channels)


def read_image(store: Store, name: str, channels: int) -> tuple[Header, Image.Image]:
    """Reads an image file, upright, in 8 bits; an animation's first frame. Raises UnreadableError."""
    with _name_file_in_errors(store, name), store.open(name) as file:
        content = io.BytesIO()
        if _read_some(file, content, LARGE_BYTES):
            return _decode(content, channels, store.value_range)
        with _large_file:
            _check_size(_read_some(file, content, MOST_BYTES), MOST_BYTES)
            return _decode(content, channels, store.value_range)


def read_content(store: Store, name: str) -> bytes:
    """Reads a file of text whole. Raises ValueError, in one line, where it cannot be read."""
    try:
        with store.open(name) as file:
            content = io.BytesIO()
            _check_size(_read_some(file, content, MOST_TEXT_BYTES), MOST_TEXT_BYTES)
            return content.getvalue()
    except Exception as error:  # a damaged zip file raises anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{store.name_of(name)} cannot be read: {reason}") from error


class Extremes(NamedTuple):
    """Smallest and largest value of an image of 16 bits, and whether it can be scaled."""

    low: int
    high: int
    is_scalable: bool


def read_extremes(store: Store, name: str) -> Extremes | None:
    """Reads the extremes of an image of 16 bits; None for another. Raises UnreadableError."""
    with _name_file_in_errors(store, name), store.open(name) as file, _open(file) as image:
        is_grey, is_scalable = sixteen_bits.is_16_bit_grey(image), sixteen_bits.can_be_scaled(image)
        if (
            not (is_grey or sixteen_bits.is_16_bit_colour(image))
            or image.width * image.height > MOST_SURVEYED_PIXELS
        ):
            return None
        if is_scalable and not is_grey:
            return Extremes(*sixteen_bits.extremes_of_colours(file), is_scalable)
        values = np.asarray(image)
        if is_grey:
            return Extremes(int(values.min()), int(values.max()), is_scalable)
        colours = values if values.shape[2] == 3 else values[..., :-1]
        return Extremes(
            int(colours.min()) << 8, (int(colours.max()) << 8) + 255, is_scalable
        )  # Pillow keeps 8


def _open(file: BinaryIO, value_range: tuple[int, int] = WHOLE_RANGE) -> Image.Image:
    """Opens an image file, of which only the header is read. Raises what Pillow does for too many pixels."""
    image = Image.open(file, formats=READABLE)
    each = _pixel_bytes(image, value_range)
    if image.width * image.height * each > MOST_DECODING_BYTES:
        raise TooLargeError(TOO_LARGE.format(MOST_DECODING_BYTES // each))
    return image


def _pixel_bytes(image: Image.Image, value_range: tuple[int, int]) -> int:
    """Memory that a pixel of an image just opened takes while it is decoded, with all copies."""
    if _scales_colours(image, value_range):
        return sixteen_bits.PIXEL_BYTES
    return PIXEL_BYTES_OF.get(image.format or "", PIXEL_BYTES)


def _scales_colours(image: Image.Image, value_range: tuple[int, int]) -> bool:
    """Whether 16 bits of several channels are scaled, of which Pillow would keep the upper 8."""
    if value_range == WHOLE_RANGE:
        return False
    return sixteen_bits.is_16_bit_colour(image) and sixteen_bits.can_be_scaled(image)


def _decode(content: BinaryIO, channels: int, value_range: tuple[int, int]) -> tuple[Header, Image.Image]:
    """Decodes the content of an image file."""
    with _open(content, value_range) as image:
        pixels, native = image.width * image.height, channels_of(image)
        with _decoded_at_once.taken(pixels * _pixel_bytes(image, value_range)):
            whole: Image.Image = image
            if _scales_colours(image, value_range):
                image.load()  # what a PNG file says of its orientation may stand at its end
                whole = sixteen_bits.scale_colours(content, image, value_range)
            ImageOps.exif_transpose(whole, in_place=True)
            return Header(whole.height, whole.width, native), convert(whole, channels, value_range)


def _read_some(file: BinaryIO, content: BinaryIO, most: int) -> bool:
    """Reads a file in steps; returns whether that was all, or there are more than `most` bytes."""
    while content.tell() <= most:
        step = file.read(STEP_BYTES)
        content.write(step)
        if not step:
            return True
    return False


def _check_size(is_whole: bool, most: int) -> None:
    if not is_whole:
        raise ValueError(f"it has more than {most // 2**20} MiB, too many to be read safely")


class _Allowance:
    """Allowance that threads share: each waits until what it takes is there."""

    def __init__(self, whole: int) -> None:
        self._left, self._whole, self._changed = whole, whole, threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Takes a count, or the whole where that is less, from the allowance within."""
        count = min(count, self._whole)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= count)
            self._left -= count
        try:
            yield
        finally:
            with self._changed:
                self._left += count
                self._changed.notify_all()


_decoded_at_once = _Allowance(MOST_DECODING_BYTES)


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
        if isinstance(error, TooLargeError):
            reason = str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = f"cannot be read: {error.strerror}"
        elif isinstance(error, UnidentifiedImageError):
            reason = "is not an image, or is damaged"
        elif isinstance(error, (Image.DecompressionBombWarning, Image.DecompressionBombError)):
            reason = TOO_LARGE.format(Image.MAX_IMAGE_PIXELS)
        raise UnreadableError(f"{store.name_of(name)} {reason}{REMEDY}") from error
