"""Images of 16 bits: which they are, their values, and how these become 8 bits.

Pillow reads grey images of 16 bits whole, but keeps the upper 8 bits of colours. Asked for the other order of
bytes, it keeps the lower 8: decoded twice, a PNG or TIFF file in colour gives all 16.
"""

import io
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiments.data.core.tiff_files import WHITE_IS_ZERO, open_series, read_series

WHOLE_RANGE = (0, 2**16 - 1)
BAND_ROWS = 64  # of an image that are converted at once, where that takes several times its memory
PIXEL_BYTES = 32  # memory of a pixel while its colours are scaled, with all copies
# Layouts of pixels in files, and those with the other order of bytes. N is the order of this machine.
_OTHER = "B" if sys.byteorder == "little" else "L"
SWAPPED = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", _OTHER))
}
GREY_WITH_ALPHA = "LA;16B"  # 4 bytes, which Pillow gives one by one as those of a layout with 4 bytes
FOUR_BYTES = "RGBA"
# Tags of TIFF files, and their values.
BITS, PHOTOMETRIC, PLANAR, IN_PLANES = 258, 262, 284, 2


def is_16_bit_grey(image: Image.Image) -> bool:
    """Whether an image has one channel of 16 bits (Pillow < 11 calls those of PNG files "I")."""
    return image.mode.startswith("I")


def is_16_bit_colour(image: Image.Image) -> bool:
    """Whether an image just opened has several channels of 16 bits, of which Pillow keeps 8."""
    if is_16_bit_grey(image):
        return False
    return has_planes(image) or any(";16" in layout for layout in _layouts(image))


def has_planes(image: Image.Image) -> bool:
    """Whether an image just opened is a TIFF that has its 16 bits in a plane for each colour.

    Pillow's decoder takes each byte of these for a pixel.
    """
    if is_16_bit_grey(image) or image.format != "TIFF":
        return False
    tags = image.tag_v2  # type: ignore[attr-defined]
    return tags.get(PLANAR) == IN_PLANES and max(tags.get(BITS, (1,))) == 16


def check_planes(image: Image.Image) -> None:
    """Checks that the pixels of an image just opened can be read. Raises ValueError with a remedy."""
    if has_planes(image) and not can_be_scaled(image):
        raise ValueError(
            "it has 16 bits in a plane for each of its channels, which are not red, green and blue: save it "
            "with planarconfig='contig'"
        )


def can_be_scaled(image: Image.Image) -> bool:
    """Whether all 16 bits of an image just opened can be read."""
    if has_planes(image):
        return all(each in (*SWAPPED, *FOUR_BYTES) for each in _layouts(image))
    return is_16_bit_grey(image) or (
        is_16_bit_colour(image) and all(each in (*SWAPPED, GREY_WITH_ALPHA) for each in _layouts(image))
    )


def grey_values(image: Image.Image) -> NDArray[Any]:
    """Values `(H, W)` of a grey image of 16 bits, from black to white, whichever of them its file calls 0."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})  # of a TIFF, which Pillow turns round where it has 8 bits
    is_turned = image.mode.startswith("I;16") and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    return WHOLE_RANGE[1] - values if is_turned else values


def lay_on_white(values: NDArray[np.uint16], image: Image.Image) -> NDArray[np.uint16]:
    """Makes pixels `(H, W, C)` white that have the one value that stands for transparency in `image`."""
    transparent = image.info.get("transparency")
    if transparent is None:
        return values
    is_transparent = (values == transparent).all(axis=2, keepdims=True)
    return np.where(is_transparent, np.uint16(WHOLE_RANGE[1]), values)


def read_bands(file: BinaryIO) -> Iterator[NDArray[np.uint16]]:
    """Reads an image that `can_be_scaled`, with several channels, in bands.

    Yields:
        values `(rows, W, 2, 3 or 4)`: all at once would take several times the memory.
    """
    file.seek(0)
    with Image.open(file, formats=("PNG", "TIFF")) as image:
        if has_planes(image):
            yield _read_planes(file)[..., : len(image.getbands())]
            return
        if GREY_WITH_ALPHA in _layouts(image):
            each = _decode_as(image, {GREY_WITH_ALPHA: FOUR_BYTES})
            upper, lower = each[..., ::2], each[..., 1::2]
        else:
            upper = np.asarray(image)
            file.seek(0)
            with Image.open(file, formats=("PNG", "TIFF")) as again:
                lower = _decode_as(again, SWAPPED)
    for start in range(0, len(upper), BAND_ROWS):
        rows = slice(start, start + BAND_ROWS)
        yield upper[rows].astype(np.uint16) << np.uint16(8) | lower[rows]


def scale_grey(image: Image.Image, value_range: tuple[int, int]) -> Image.Image:
    """Scales a grey image of 16 bits to mode L, or LA where one grey value stands for transparency.

    Pillow's convert() would clip, not scale.
    """
    values = grey_values(image)
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), BAND_ROWS):
        rows = slice(start, start + BAND_ROWS)
        scaled[rows] = scale_to_8_bits(values[rows].clip(0, 65535), value_range)
    grey = Image.fromarray(scaled)
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey
    alpha = Image.fromarray(np.where(values == transparent, np.uint8(0), np.uint8(255)))
    return Image.merge("LA", (grey, alpha))


def scale_colours(file: BinaryIO, image: Image.Image, value_range: tuple[int, int]) -> Image.Image:
    """Scales the colours of an image of 16 bits to 8; transparency stays as it is.

    Args:
        image: the same file, opened and loaded by Pillow, for what else stands in it.
    """
    transparent = image.info.get("transparency")
    bands = []
    for values in read_bands(file):
        scaled = scale_to_8_bits(values, value_range)
        if values.shape[2] != 3:
            scaled[..., -1] = values[..., -1] >> 8
        elif transparent is not None:
            alpha = np.where((values == transparent).all(axis=2), np.uint8(0), np.uint8(255))
            scaled = np.dstack([scaled, alpha])
        bands.append(scaled)
    found = Image.fromarray(np.concatenate(bands))
    found.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return found


def extremes_of_colours(file: BinaryIO) -> tuple[int, int]:
    """Smallest and largest value of the colours of an image that `can_be_scaled`, with several channels."""
    low, high = WHOLE_RANGE[::-1]
    for values in read_bands(file):
        colours = values if values.shape[2] == 3 else values[..., :-1]
        low, high = min(low, int(colours.min())), max(high, int(colours.max()))
    return low, high


def scale_to_8_bits(values: NDArray[Any], value_range: tuple[int, int]) -> NDArray[np.uint8]:
    """Scales values of 16 bits to 8: the ends of the range become 0 and 255, and values beyond them too."""
    low, high = value_range
    if value_range == WHOLE_RANGE:
        return (values >> 8).astype(np.uint8)
    shifted = values.clip(low, high).astype(np.float64) - low
    return np.rint(shifted * (255 / (high - low))).astype(np.uint8)


def _read_planes(file: BinaryIO) -> NDArray[Any]:
    """Reads a TIFF file of 16 bits in planes as an array `(H, W, C)`, upright."""
    file.seek(0)
    with open_series(io.BytesIO(file.read())) as series:  # tifffile asks a file for its name
        return read_series(series)


def _layouts(image: Image.Image) -> list[str]:
    """Layouts of the pixels in the parts of a file, as Pillow names them."""
    return [_layout_of(tile[3]) for tile in getattr(image, "tile", ())]


def _layout_of(arguments: Any) -> str:
    """The layout among the arguments of a decoder, of which it is the only or the first."""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _decode_as(image: Any, layouts: dict[str, str]) -> NDArray[np.uint8]:
    """Decodes an image just opened as if its pixels were laid out otherwise."""
    for index, tile in enumerate(image.tile):
        *place, arguments = tile
        other = layouts[_layout_of(arguments)]
        changed = (other, *arguments[1:]) if isinstance(arguments, tuple) else other
        image.tile[index] = tuple.__new__(type(tile), (*place, changed))  # named, in newer versions of Pillow
    return np.asarray(image)
