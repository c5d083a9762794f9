"""Conversion of pictures: their channels, 8 bits, and another size."""

from PIL import Image

from experiments.data.core import sixteen_bits
from experiments.data.core.dataset import Fit
from experiments.data.core.padding import pad_picture
from experiments.data.core.sixteen_bits import BAND_ROWS, WHOLE_RANGE

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def channels_of(image: Image.Image) -> int:
    """Number of channels of an image: 1 for grey, 4 with transparency, else 3."""
    if image.has_transparency_data:
        return 4
    return 1 if image.mode in ("1", "L", "F") or image.mode.startswith("I") else 3


def resize(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Resizes an image to `size` (height, width): stretched, padded, or else cropped.

    A padded image is whole, in the middle of a black border; with alpha the border is transparent.
    """
    height, width = size
    if image.size == (width, height):
        return image
    if fit == "pad":
        return pad_picture(image, size)
    box = (0.0, 0.0, float(image.width), float(image.height))
    if fit != "stretch":  # the largest centred part of the aspect asked for, to the fraction of a pixel
        scale = max(width / image.width, height / image.height)
        x = max(0.0, (image.width - width / scale) / 2)
        y = max(0.0, (image.height - height / scale) / 2)
        box = (x, y, image.width - x, image.height - y)
    # Pillow widens the filter as it shrinks, and weighs colour by alpha: neither aliasing nor fringes.
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def convert(image: Image.Image, channels: int, value_range: tuple[int, int] = WHOLE_RANGE) -> Image.Image:
    """Converts an image to 8 bits; transparency is kept with 4 channels, else laid on white.

    Of 16-bit images, the values in `value_range` are scaled, and those outside are clipped.
    """
    mode = MODES[channels]
    if image.mode == "F":
        raise ValueError("its pixels are floating-point, of unknown range; save it with 8 or 16 bits")
    if image.mode == "I" and image.format not in ("PNG", "PPM"):  # both mean 16 bits by it
        raise ValueError("its pixels are 32-bit integers, of unknown range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = sixteen_bits.scale_grey(image, value_range)
    if mode == "RGBA":
        return image.convert("RGBA")
    return _on_white(image, mode) if image.has_transparency_data else image.convert(mode)


def _on_white(image: Image.Image, mode: str) -> Image.Image:
    """Lays an image with transparency on white, in bands: several copies of a large one fill the memory."""
    laid = Image.new(mode, image.size)
    for top in range(0, image.height, BAND_ROWS):
        box = (0, top, image.width, min(top + BAND_ROWS, image.height))
        band = image.crop(box).convert("RGBA")
        laid.paste(Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert(mode), box)
    return laid
