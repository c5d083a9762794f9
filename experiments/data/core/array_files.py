"""Pictures as arrays of numbers: 16 bits, floating-point, and any number of channels.

They are read from `.npy` and OpenEXR files, from TIFF files by the library tifffile, and from grey or RGB
files of 16 bits by Pillow, in the numbers that the files have.
"""

import io
import math
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from experiments.data.core import decoding, sixteen_bits
from experiments.data.core.conversion import convert
from experiments.data.core.decoding import (
    ARRAY_ENDINGS,
    MOST_DECODING_BYTES,
    READABLE,
    TOO_LARGE,
    Header,
    Store,
    TooLargeError,
    UnreadableError,
    decoded_at_once,
    name_file_in_errors,
    opened,
    read_whole,
)
from experiments.data.core.exr_files import exr_header, read_exr
from experiments.data.core.orientation import turn_upright
from experiments.data.core.tiff_files import open_series, read_series, tiff_header
from metrics.core.npz_arrays import HEADER_LOCK

EXR = ".exr"
TIFF_ENDINGS = (".tif", ".tiff")
LARGEST = float(np.finfo(np.float32).max)
COPIES = 4  # of an array that may lie in memory at once while it is read and resized


class ArrayKind(NamedTuple):
    """The content of a picture file.

    Attributes:
        type: type of its numbers, as NumPy names it ("uint16").
        is_array: whether it can only be read as an array; else it can be shown in 8 bits as well.
    """

    type: str
    is_array: bool


def find_kind(store: Store, name: str) -> ArrayKind:
    """Finds the type of the numbers in a picture file. Raises UnreadableError."""
    with name_file_in_errors(store, name):
        if name.lower().endswith(ARRAY_ENDINGS):
            return ArrayKind(_numbers_header(read_whole(store, name), name)[1], True)
        is_tiff = name.lower().endswith(TIFF_ENDINGS)
        try:
            with opened(store, name) as (_, image):
                if _needs_tifffile(image):
                    return ArrayKind(tiff_header(read_whole(store, name))[1], True)
                is_whole = sixteen_bits.can_be_scaled(image) and not image.has_transparency_data
                return ArrayKind("uint16" if is_whole else "uint8", False)
        except UnidentifiedImageError:
            if not is_tiff:
                raise
            return ArrayKind(tiff_header(read_whole(store, name))[1], True)


def decide_type(kind: ArrayKind, asked: str, has_range: bool) -> tuple[bool, str]:
    """Decides how pictures are held: whether as arrays of numbers, and in which type.

    Args:
        kind: of the first picture.
        asked: "uint8", "uint16", "float32", or "auto" for that of the file where a range is given or where 8
            bits cannot hold it, else uint8.

    Raises ValueError for a type that cannot hold it.
    """
    own = kind.type if kind.type in ("uint8", "uint16") else "float32"
    if kind.is_array and own == "uint8" and has_range and asked == "auto":
        own = "float32"  # in which a range of 8 bits is scaled
    is_deep = kind.is_array or (own == "uint16" and has_range)
    chosen = (own if is_deep else "uint8") if asked == "auto" else asked
    is_cut = kind.is_array and chosen == "uint8" and kind.type != "uint8"
    if is_cut or (chosen == "uint16" and kind.type != "uint16"):
        raise ValueError(
            f"the images have values of type {kind.type}, which data.depth {asked} cannot hold; leave that "
            "out, or take --set data.depth=float32"
        )
    return kind.is_array or chosen != "uint8", chosen


def read_header(store: Store, name: str) -> Header:
    """Reads size and channels of a picture file, by Pillow or as an array, as its pixels will be read.

    Raises UnreadableError.
    """
    if not store.holds_arrays and not name.lower().endswith(ARRAY_ENDINGS):
        return decoding.read_header(store, name)
    with name_file_in_errors(store, name):
        return _array_header(store, name)


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


def read_values(store: Store, name: str) -> NDArray[Any]:
    """Reads a picture as an array `(H, W, C)` of the numbers that its file has, upright.

    Raises UnreadableError, also for numbers that are not finite.
    """
    with name_file_in_errors(store, name):
        content = read_whole(store, name)
        values = _values_in(content, name)
        if wrong := describe_unusable(values):
            raise ValueError(wrong)
        return values


def describe_unusable(values: NDArray[Any]) -> str:
    """Describes values of a picture that are no numbers, or too large for float32, with a remedy.

    Empty where there are none.
    """
    if values.dtype.kind != "f":
        return ""
    words = "are not finite (NaN or infinite): fill them in, by numpy.nan_to_num"
    wrong = int((~np.isfinite(values)).sum())
    if not wrong and values.dtype.itemsize > np.dtype(np.float32).itemsize:
        words = "are too large for float32, in which they are held: divide all by a number"
        wrong = int((np.abs(values) > LARGEST).sum())
    return f"{wrong:,} of its {values.size:,} values {words}" if wrong else ""


def _values_in(content: io.BytesIO, name: str) -> NDArray[Any]:
    """The array in the content of a picture file."""
    if name.lower().endswith(ARRAY_ENDINGS):
        shape, kind = _numbers_header(content, name)
        _check_memory(shape, kind)
        with decoded_at_once.taken(COPIES * math.prod(shape) * np.dtype(kind).itemsize):
            if name.lower().endswith(EXR):
                return read_exr(content.getvalue())
            content.seek(0)
            with HEADER_LOCK:
                return _with_channels_last(np.load(content, allow_pickle=False))
    try:
        with Image.open(content, formats=READABLE) as image:
            if not _needs_tifffile(image):
                sixteen_bits.check_planes(image)
                return _values_by_pillow(content, image)
    except UnidentifiedImageError:
        if not name.lower().endswith(TIFF_ENDINGS):
            raise
    content.seek(0)
    with open_series(content) as series:
        _check_memory(series.shape, series.dtype)
        with decoded_at_once.taken(COPIES * math.prod(series.shape) * series.dtype.itemsize):
            return read_series(series)


def _values_by_pillow(content: BinaryIO, image: Image.Image) -> NDArray[Any]:
    """The numbers of an image just opened that Pillow can read in full.

    Transparency is laid on white, but that of 16 bits is a channel of its own.
    """
    _check_memory((image.height, image.width, 4), "uint16")
    if sixteen_bits.is_16_bit_grey(image):
        values = sixteen_bits.grey_values(image)[..., None].clip(0, 65535).astype(np.uint16)
        values = sixteen_bits.lay_on_white(values, image)
    elif sixteen_bits.is_16_bit_colour(image) and sixteen_bits.can_be_scaled(image):
        image.load()  # what a PNG file says of its orientation may stand at its end
        values = np.concatenate(list(sixteen_bits.read_bands(content)))
        values = sixteen_bits.lay_on_white(values, image)
    else:
        grey = image.mode in ("1", "L")
        values = np.atleast_3d(np.asarray(convert(image, 1 if grey else 3)))
    return turn_upright(values, image.getexif().get(ExifTags.Base.Orientation, 1))


def _channels_by_pillow(image: Image.Image) -> int:
    """The number of channels that `_values_by_pillow` reads of an image just opened."""
    if sixteen_bits.is_16_bit_colour(image) and sixteen_bits.can_be_scaled(image):
        return len(image.getbands())
    return 1 if sixteen_bits.is_16_bit_grey(image) or image.mode in ("1", "L") else 3


def _array_header(store: Store, name: str) -> Header:
    """The header of a picture that is read as an array."""
    if name.lower().endswith(ARRAY_ENDINGS):
        return Header(*_numbers_header(read_whole(store, name), name)[0])
    try:
        with opened(store, name) as (_, image):
            is_tiff, channels = _needs_tifffile(image), _channels_by_pillow(image)
        if not is_tiff:
            return decoding.read_header(store, name)._replace(channels=channels)
    except UnidentifiedImageError:
        if not name.lower().endswith(TIFF_ENDINGS):
            raise
    shape, _ = tiff_header(read_whole(store, name))
    return Header(*shape)


def _needs_tifffile(image: Image.Image) -> bool:
    """Whether a TIFF file just opened by Pillow holds numbers or channels that Pillow would not give."""
    if image.format != "TIFF":
        return False
    is_stack = sixteen_bits.is_16_bit_grey(image) and getattr(image, "n_frames", 1) > 1
    return image.mode in ("F", "I") or is_stack


def _numbers_header(content: io.BytesIO, name: str) -> tuple[tuple[int, int, int], str]:
    """Shape (H, W, C) and type of the picture in a `.npy` or OpenEXR file.

    Raises ValueError for what is no picture.
    """
    if name.lower().endswith(EXR):
        return exr_header(content.getvalue())
    version = npy.read_magic(content)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with HEADER_LOCK:
        shape, _, kind = read(content)
    if kind.kind not in "uif" or len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(
            f"it holds an array of {kind} {'×'.join(map(str, shape))}, and a picture is numbers (H, W), "
            "(C, H, W) or (H, W, C)"
        )
    return _channels_last(shape), kind.name


def _channels_last(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Shape (H, W, C) of an array whose channels are the shorter one of its first and last axis."""
    if len(shape) == 2:
        return *shape, 1
    first, middle, last = shape
    return (middle, last, first) if are_channels_first(shape) else (first, middle, last)


def are_channels_first(shape: Sequence[int]) -> bool:
    """Whether the first of three axes of a picture is that of channels, as it is no longer than the last."""
    return shape[0] <= shape[2]


def _with_channels_last(values: NDArray[Any]) -> NDArray[Any]:
    """An array `(H, W)`, `(C, H, W)` or `(H, W, C)` as `(H, W, C)`."""
    if values.ndim == 2:
        return values[..., None]
    return values.transpose(1, 2, 0) if are_channels_first(values.shape) else values


def _check_memory(shape: Sequence[int], kind: Any) -> None:
    """Checks that an array can be read safely; raises TooLargeError."""
    most = MOST_DECODING_BYTES // COPIES
    if math.prod(shape) * np.dtype(kind).itemsize > most:
        raise TooLargeError(TOO_LARGE.format(most // np.dtype(kind).itemsize).replace("pixels", "values"))
