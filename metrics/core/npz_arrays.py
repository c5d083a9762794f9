"""Arrays of `.npz` files, read within bounds: what a file claims is looked at before memory is taken."""

import io
import zipfile
from math import prod
from pathlib import Path
from threading import Lock
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from metrics.core.zip_directories import check_directory

LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}  # of the number before a header, which is its length
READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
MOST_HEADER_BYTES = 10_000
# numpy reads a header by Python's parser of literals, which in 3.11 fails now and then ("AST constructor
# recursion depth mismatch") where a collection of garbage lets another thread into it.
HEADER_LOCK = Lock()
MOST_ARRAYS = 16
MOST_DIRECTORY_BYTES = 2**16
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes; others inflate all at once


def read_npz(path: Path | str, most_bytes: int) -> dict[str, NDArray[np.generic]]:
    """Reads the arrays of a `.npz` by name.

    Args:
        most_bytes: the size that all arrays may have together.

    Raises:
        ValueError: arrays that are larger, more than 16, hold objects, or are not whole.
        OSError, zipfile.BadZipFile, …: whatever a file that is no `.npz` makes the reader stumble over.
    """
    path, found = Path(path), dict[str, NDArray[np.generic]]()
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("is no regular file")
    with path.open("rb") as file:
        if file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
            raise ValueError("is a single array")
        check_directory(file, MOST_DIRECTORY_BYTES)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS:
                raise ValueError(f"has {len(members):,} arrays, more than the {MOST_ARRAYS} allowed")
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in found or member.compress_type not in METHODS:
                    raise ValueError(f"has {name} twice, or compressed as numpy does not")
                with archive.open(member) as stream:
                    found[name] = read_array(stream, name, most_bytes)
                most_bytes -= found[name].nbytes
    return found


def read_npy(path: Path | str, most_bytes: int) -> NDArray[np.generic]:
    """Reads the array of a `.npy`. Raises ValueError for one that is larger, not whole, or of objects."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError("is no regular file")
    with path.open("rb") as file:
        return read_array(file, path.name, most_bytes)


class ArrayHeader(NamedTuple):
    """Header of an array: its shape, whether it lies column by column, and the type of its values."""

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the values that follow."""
        return prod(self.shape) * self.dtype.itemsize


def read_array_header(stream: IO[bytes], name: str) -> ArrayHeader:
    """Reads the header of an array. Raises ValueError for one that is too long, or of another version."""
    version = npy.read_magic(stream)
    if version not in READ_HEADER:
        raise ValueError(f"{name} has version {version} of numpy's format")
    length = stream.read(LENGTH_BYTES[version])
    if (header_bytes := int.from_bytes(length, "little")) > MOST_HEADER_BYTES:
        raise ValueError(f"{name} has a header of more than {MOST_HEADER_BYTES:,} bytes")
    content = io.BytesIO(length + stream.read(header_bytes))
    with HEADER_LOCK:
        return ArrayHeader(*READ_HEADER[version](content))


def read_array(stream: IO[bytes], name: str, most_bytes: int) -> NDArray[np.generic]:
    """Reads one array, of which only the header is read before its size is known to be allowed.

    Raises ValueError for one that is larger than `most_bytes`, not whole, or of objects.
    """
    header = read_array_header(stream, name)
    if header.dtype.hasobject or not 0 <= header.nbytes <= most_bytes:
        raise ValueError(
            f"{name} claims {header.shape} of {header.dtype}, more than the {most_bytes:,} bytes allowed"
        )
    content = stream.read(header.nbytes)
    if len(content) != header.nbytes or stream.read(1):  # the end is where the checksum is compared
        raise ValueError(f"{name} has not the bytes that it claims")
    order: Literal["C", "F"] = "F" if header.by_columns else "C"
    return np.frombuffer(content, header.dtype).reshape(header.shape, order=order)
