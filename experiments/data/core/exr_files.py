"""Pictures in OpenEXR files, read by the library OpenEXR: floating-point numbers in named channels."""

import importlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEEDS_OPENEXR = "OpenEXR files need a package to be read: pip install 'gans[exr]'"
COLOURS = ("R", "G", "B", "A")  # which come first, in this order


def exr_header(content: bytes) -> tuple[tuple[int, int, int], str]:
    """Shape (H, W, C) and type of the picture in the content of a file, found without its pixels."""
    with _opened(content, header_only=True) as file:
        header = file.header()
        first, last = (np.asarray(corner, dtype=np.int64) for corner in header["dataWindow"])
        width, height = (last - first + 1).tolist()
        return (height, width, len(header["channels"])), "float32"


def read_exr(content: bytes) -> NDArray[np.float32]:
    """The picture in the content of a file, `(H, W, C)`: red, green, blue, alpha, and others by name.

    Raises ValueError where a channel has not the size of the others.
    """
    with _opened(content, separate_channels=True) as file:
        planes = {name: channel.pixels for name, channel in file.channels().items()}
    if len({plane.shape for plane in planes.values()}) != 1:
        raise ValueError("its channels differ in size")
    return np.dstack([planes[name].astype(np.float32) for name in channel_order(planes)])


def channel_order(names: Iterable[str]) -> list[str]:
    """Orders the names of channels: colours first, then others alphabetically."""
    return sorted(names, key=lambda name: (COLOURS.index(name) if name in COLOURS else len(COLOURS), name))


@contextmanager
def _opened(content: bytes, **how: bool) -> Iterator[Any]:
    """Opens the content of a file by the library, which reads files with names only."""
    try:
        library = importlib.import_module("OpenEXR")
    except ImportError as error:
        raise ValueError(NEEDS_OPENEXR) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.exr"
        path.write_bytes(content)
        with library.File(str(path), **how) as file:
            yield file
