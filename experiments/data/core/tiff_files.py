"""Pictures in TIFF files that the library tifffile reads: numbers of any type, and any number of channels."""

import importlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data.core.orientation import is_on_its_side, turn_upright

NEEDS_TIFFFILE = "needs a package to be read: pip install 'gans[tiff]'"
# Kinds of axes of a TIFF file that are channels, by tifffile's letters: samples, channels, and pages.
CHANNEL_AXES = "SCQI"
ORIENTATION = 274  # the tag
WHITE_IS_ZERO = 0  # photometric interpretation


@contextmanager
def open_series(content: io.BytesIO) -> Iterator[Any]:
    """Opens the picture in a TIFF file.

    Raises ValueError where tifffile is not installed, and for what is no single picture.
    """
    try:
        tifffile = importlib.import_module("tifffile")
    except ImportError as error:
        raise ValueError(f"this kind of TIFF {NEEDS_TIFFFILE}") from error
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong is said in one line
    with tifffile.TiffFile(content) as file:
        series = file.series[0]
        letters = series.axes.replace("Y", "").replace("X", "")
        if series.dtype.kind not in "uif" or not (
            letters == "" or (len(letters) == 1 and letters in CHANNEL_AXES)
        ):
            raise ValueError(
                f"it holds {series.dtype} with axes {series.axes} {'×'.join(map(str, series.shape))}, and a "
                "picture is numbers in rows, columns and channels"
            )
        yield series


def tiff_header(content: io.BytesIO) -> tuple[tuple[int, int, int], str]:
    """Shape (H, W, C), upright, and type of the picture in a TIFF file."""
    with open_series(content) as series:
        sizes = dict(zip(series.axes, series.shape, strict=True))
        channels = [size for axis, size in sizes.items() if axis in CHANNEL_AXES] or [1]
        height, width = sizes["Y"], sizes["X"]
        if is_on_its_side(_orientation_of(series)):
            height, width = width, height
        return (height, width, channels[0]), series.dtype.name


def read_series(series: Any) -> NDArray[Any]:
    """Reads an opened picture as an array `(H, W, C)`, upright, with larger numbers for brighter values.

    Raises ValueError where the file has it the other way round in numbers without a largest one.
    """
    values = _axes_in_order(series.asarray(maxworkers=1), series.axes)
    if series.keyframe.photometric == WHITE_IS_ZERO:
        if series.dtype.kind != "u":
            raise ValueError(
                f"its numbers fall from white to black (WhiteIsZero), and {series.dtype} has no largest one "
                "to turn them round: save it with photometric='minisblack'"
            )
        values = values.dtype.type(2**series.keyframe.bitspersample - 1) - values
    return turn_upright(values, _orientation_of(series))


def _orientation_of(series: Any) -> int:
    """The orientation of an opened picture, 1 where the file says nothing."""
    tag = series.keyframe.tags.get(ORIENTATION)
    return 1 if tag is None else int(tag.value)


def _axes_in_order(values: NDArray[Any], axes: str) -> NDArray[Any]:
    """An array with tifffile's axes as `(H, W, C)`."""
    if len(axes) == 2:
        return values[..., None]
    order = [axes.index("Y"), axes.index("X"), next(i for i, axis in enumerate(axes) if axis in CHANNEL_AXES)]
    return np.transpose(values, order)
