"""Arrays of `.npz` files, read within bounds: what a file claims is looked at before memory is taken."""

import zipfile
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(path: Path | str, most_bytes: int) -> dict[str, NDArray[np.generic]]:
    """Reads the arrays of a `.npz` by name.

    Args:
        most_bytes: the size that all arrays may have together.

    Raises:
        ValueError: arrays that are larger, hold objects, or are not whole.
        OSError, zipfile.BadZipFile, …: whatever a file that is no `.npz` makes the reader stumble over.
    """
    path, found = Path(path), dict[str, NDArray[np.generic]]()
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("is no regular file")
    with path.open("rb") as file:
        if file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
            raise ValueError("is a single array")
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name, taken = member.filename.removesuffix(".npy"), sum(array.nbytes for array in found.values())
            with archive.open(member) as stream:
                found[name] = _read_array(stream, name, most_bytes - taken)
    return found


def _read_array(stream: IO[bytes], name: str, most_bytes: int) -> NDArray[np.generic]:
    """Reads one array, of which only the header is read before its size is known to be allowed."""
    version = npy.read_magic(stream)
    if version not in READ_HEADER:
        raise ValueError(f"{name} has version {version} of numpy's format")
    shape, by_columns, dtype = READ_HEADER[version](stream)
    size = prod(shape) * dtype.itemsize
    if dtype.hasobject or not 0 <= size <= most_bytes:
        raise ValueError(f"{name} claims {shape} of {dtype}, more than the {most_bytes:,} bytes allowed")
    content = stream.read(size)
    if len(content) != size or stream.read(1):  # the end is where the checksum is compared
        raise ValueError(f"{name} has not the bytes that it claims")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")
