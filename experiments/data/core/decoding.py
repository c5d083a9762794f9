"""Decoding of image files: which files are images, their headers, and the memory that they may take."""

import io
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from experiments.core.units import PixelUnits
from experiments.data.core import sixteen_bits
from experiments.data.core.conversion import channels_of, convert
from experiments.data.core.memory import Allowance
from experiments.data.core.orientation import is_turned_by_decoding, upright_size
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
ARRAY_ENDINGS = (".npy", ".exr")  # of pictures as arrays of numbers, looked for where there are no others
IMAGE_ENDINGS = tuple(ending for name in READABLE for ending in FORMATS[name])
MOST_BYTES = 192 * 2**20  # of a file
# Memory of decoding: of one image, and of all that are decoded at once. A pixel takes, with all copies, so
# many bytes (measured); in some formats its library has copies of its own.
MOST_DECODING_BYTES = 448 * 2**20
PIXEL_BYTES, PIXEL_BYTES_OF = 10, {"JPEG2000": 25, "WEBP": 17, "AVIF": 13}
# Of an image whose values are looked at.
MOST_SURVEYED_PIXELS = MOST_DECODING_BYTES // sixteen_bits.PIXEL_BYTES
MOST_TEXT_BYTES = 128 * 2**20  # of a list of labels or attributes
# Of a file that is read whole even for its header, and the copies that this makes.
MOST_WHOLE_BYTES, FILE_COPIES = 96 * 2**20, 4
LARGE_BYTES = 16 * 2**20  # larger files are read one at a time, so that several do not fill the memory
STEP_BYTES = 2**20
large_file = threading.Lock()
TOO_LARGE = "has more than {:,} pixels, too many to be read safely: shrink it"
REMEDY = " (--skip-bad leaves such files out)"


class UnreadableError(ValueError):
    """Error of a file that is no image, is damaged or cannot be opened; `--skip-bad` leaves it out."""


class TooLargeError(ValueError):
    """Error of an image with too many pixels to be decoded."""


class Store(ABC):
    """A store of files, such as a folder or a zip file, used by several threads at once.

    Attributes:
        value_range: values of 16-bit images that become black and white, where they are brought to 8 bits.
        holds_arrays: whether its images are read as arrays of numbers, in the type `array_type`.
        units: units of these arrays; None for those of 8 bits.
        remarks: lines on files that cannot be told apart by their paths.
    """

    value_range: tuple[int, int] = WHOLE_RANGE
    holds_arrays: bool = False
    array_type: str = "uint8"
    units: PixelUnits | None = None
    remarks: tuple[str, ...] = ()

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Opens a file, seekable; raises whatever it likes where there is none."""

    @abstractmethod
    def size_of(self, name: str) -> int:
        """Size of a file that can be opened, in bytes: no more can be read from it."""

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


def read_header(store: Store, name: str) -> Header:
    """Reads size and kind of a file, mostly without its pixels. Raises UnreadableError."""
    with name_file_in_errors(store, name):
        with opened(store, name) as (file, image):
            channels = channels_of(image)
            if not is_turned_by_decoding(image, file):
                return Header(*upright_size(image, file), channels)
            memory = image.width * image.height * _pixel_bytes(image, WHOLE_RANGE)
        # Opened anew, so that all memory is asked for at once: who waits for it holds none.
        with opened(store, name, memory) as (file, image):
            return Header(*upright_size(image, file), channels)


def read_image(store: Store, name: str, channels: int) -> tuple[Header, Image.Image]:
    """Reads an image file, upright, in 8 bits; an animation's first frame. Raises UnreadableError."""
    with name_file_in_errors(store, name), store.open(name) as file:
        content = io.BytesIO()
        if read_some(file, content, LARGE_BYTES):
            return _decode(content, channels, store.value_range)
        with large_file:
            most = _most_bytes(bytes(content.getbuffer()[:12]))
            check_size(read_some(file, content, most), most)
            return _decode(content, channels, store.value_range)


def read_whole(store: Store, name: str) -> io.BytesIO:
    """Reads a file whole, from its beginning on. Raises ValueError for one of more than 192 MiB."""
    with store.open(name) as file:
        content = io.BytesIO()
        check_size(read_some(file, content, MOST_BYTES), MOST_BYTES)
        content.seek(0)
        return content


def read_content(store: Store, name: str) -> bytes:
    """Reads a file of text whole. Raises ValueError, in one line, where it cannot be read."""
    try:
        with store.open(name) as file:
            content = io.BytesIO()
            check_size(read_some(file, content, MOST_TEXT_BYTES), MOST_TEXT_BYTES)
            return content.getvalue()
    except Exception as error:  # a damaged zip file raises anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{store.name_of(name)} cannot be read: {reason}") from error


class Extremes(NamedTuple):
    """Smallest and largest value of an image of 16 bits, and whether it can be scaled."""

    low: int
    high: int
    is_scalable: bool


def holds_no_image(store: Store, name: str) -> bool:
    """Whether a file is no image, not even a damaged one, by its first bytes."""
    try:
        read_header(store, name)
    except UnreadableError as error:
        return isinstance(error.__cause__, UnidentifiedImageError)
    return False


def can_be_scaled(store: Store, name: str) -> bool:
    """Whether an image has 16 bits that can be scaled, by its header. Raises UnreadableError."""
    with name_file_in_errors(store, name), opened(store, name) as (_, image):
        return sixteen_bits.can_be_scaled(image)


def read_extremes(store: Store, name: str) -> Extremes | None:
    """Reads the extremes of an image of 16 bits; None for another, and for a large one in colour.

    Raises UnreadableError.
    """
    with name_file_in_errors(store, name):
        with opened(store, name) as (_, image):
            pixels, is_grey = image.width * image.height, sixteen_bits.is_16_bit_grey(image)
            if not (is_grey or (sixteen_bits.is_16_bit_colour(image) and pixels <= MOST_SURVEYED_PIXELS)):
                return None
        with opened(store, name, pixels * (PIXEL_BYTES if is_grey else sixteen_bits.PIXEL_BYTES)) as found:
            return _extremes_of(*found)


def _extremes_of(file: BinaryIO, image: Image.Image) -> Extremes:
    """The extremes of an image of 16 bits, just opened."""
    is_scalable = sixteen_bits.can_be_scaled(image)
    if is_scalable and not sixteen_bits.is_16_bit_grey(image):
        return Extremes(*sixteen_bits.extremes_of_colours(file), is_scalable)
    if is_scalable:
        values = sixteen_bits.grey_values(image)
        return Extremes(int(values.min()), int(values.max()), is_scalable)
    values = np.asarray(image)
    colours = values if values.shape[2] == 3 else values[..., :-1]
    return Extremes(int(colours.min()) << 8, (int(colours.max()) << 8) + 255, is_scalable)  # Pillow keeps 8


@contextmanager
def opened(store: Store, name: str, memory: int = 0) -> Iterator[tuple[BinaryIO, Image.Image]]:
    """Opens an image file, of which only the header is read, when there is memory for it.

    Args:
        memory: bytes that are taken beside the file.
    """
    with store.open(name) as file:
        size, most = store.size_of(name), _most_bytes(file.read(12))
        file.seek(0)
        check_size(size <= most, most)
        with (
            large_file if size > LARGE_BYTES else nullcontext(),
            decoded_at_once.taken(memory + (FILE_COPIES * size if most == MOST_WHOLE_BYTES else 0)),
            _open(file) as image,
        ):
            yield file, image


def _most_bytes(beginning: bytes) -> int:
    """The size that a file may have, by its first 12 bytes: WebP and AVIF are read whole by Pillow."""
    return MOST_WHOLE_BYTES if beginning[8:12] == b"WEBP" or beginning[4:8] == b"ftyp" else MOST_BYTES


def _open(file: BinaryIO, value_range: tuple[int, int] = WHOLE_RANGE) -> Image.Image:
    """Opens an image file, of which only the header is read. Raises what Pillow does for too many pixels."""
    image = Image.open(file, formats=READABLE)
    sixteen_bits.check_planes(image)
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
    """Whether 16 bits of several channels are scaled, of which Pillow would not keep the right 8."""
    if value_range == WHOLE_RANGE and not sixteen_bits.has_planes(image):
        return False
    return sixteen_bits.is_16_bit_colour(image) and sixteen_bits.can_be_scaled(image)


def _decode(content: BinaryIO, channels: int, value_range: tuple[int, int]) -> tuple[Header, Image.Image]:
    """Decodes the content of an image file."""
    with _open(content, value_range) as image:
        pixels, native = image.width * image.height, channels_of(image)
        with decoded_at_once.taken(pixels * _pixel_bytes(image, value_range)):
            whole: Image.Image = image
            if _scales_colours(image, value_range):
                image.load()  # what a PNG file says of its orientation may stand at its end
                whole = sixteen_bits.scale_colours(content, image, value_range)
            ImageOps.exif_transpose(whole, in_place=True)
            return Header(whole.height, whole.width, native), convert(whole, channels, value_range)


def read_some(file: BinaryIO, content: BinaryIO, most: int) -> bool:
    """Reads a file in steps; returns whether that was all, or there are more than `most` bytes."""
    while content.tell() <= most:
        step = file.read(STEP_BYTES)
        content.write(step)
        if not step:
            return True
    return False


def check_size(is_whole: bool, most: int) -> None:
    """Checks that no more than `most` bytes had to be read; raises ValueError otherwise."""
    if not is_whole:
        raise ValueError(f"it has more than {most // 2**20} MiB, too many to be read safely")


decoded_at_once = Allowance(MOST_DECODING_BYTES)


def describe_none_readable(count: int) -> str:
    """Describes that none of the files of a set can be read."""
    return f"none of the {count:,} images can be read" if count > 1 else "the only image cannot be read"


@contextmanager
def name_file_in_errors(store: Store, name: str) -> Iterator[None]:
    """Turns any error while a file is read into one line that names the file."""
    bombs = ("error", None, Image.DecompressionBombWarning, None, 0)
    if bombs not in warnings.filters:  # Pillow would print its warning in the midst of a run, and go on
        warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        yield
    except (MemoryError, UnreadableError):
        raise  # says nothing of the file, or says it already
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
