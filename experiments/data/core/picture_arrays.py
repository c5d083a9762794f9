"""Arrays of pictures in `.npy` and `.npz` files, mapped into memory where the file has them as they are."""

import io
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.data.core.file_errors import explain_file_errors
from experiments.data.core.memory import memory_for_data
from metrics.core.input_files import open_input_file
from metrics.core.npz_arrays import ArrayHeader, read_array, read_array_header
from metrics.core.zip_directories import check_directory

MOST_DIRECTORY_BYTES = 2**20
LOCAL_HEADER = 30  # bytes before a member's name
OBJECTS = "holds Python objects, which are not read because they may run code: save plain arrays"


def map_npy(path: Path) -> NDArray[Any]:
    """Maps the array of a `.npy` into memory. Raises ValueError, naming the file, where it is not whole."""
    with _opened(path, "npy:FILE") as file:
        header = _read_header(file, str(path))
        return _map(path, str(path), header, file.tell(), os.fstat(file.fileno()).st_size)


class NpzArrays(Mapping[str, NDArray[Any]]):
    """The arrays of a `.npz` by name, each mapped, or inflated when it is asked for.

    Raises ValueError, naming the file, where it is none, and for an array that is damaged, or inflates to
    more than the memory that data may take.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path, "npz:FILE") as file:
            try:
                check_directory(file, MOST_DIRECTORY_BYTES)
                with zipfile.ZipFile(file) as archive:
                    members = archive.infolist()
            except Exception as error:  # a damaged directory raises anything
                raise ValueError(
                    f"{path} is not a .npz file, or is damaged or cut short: save it anew"
                ) from error
        self._members = {info.filename.removesuffix(".npy"): info for info in members}

    def __iter__(self) -> Any:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, key: str) -> NDArray[Any]:
        info, name = self._members[key], f"array {key} in {self.path}"
        try:
            with _opened(self.path, "npz:FILE") as file:
                if info.compress_type == zipfile.ZIP_STORED:
                    return self._mapped(file, info, name)
                return self._inflated(file, info, name)
        except ValueError:
            raise
        except Exception as error:  # readers of damaged files raise anything
            raise ValueError(f"{name} is damaged or cannot be read ({error}): save it anew") from error

    def _mapped(self, file: BinaryIO, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
        """Maps an array that is stored as it is."""
        file.seek(info.header_offset)
        local = file.read(LOCAL_HEADER)
        if len(local) < LOCAL_HEADER or not local.startswith(b"PK\3\4"):
            raise ValueError(f"{name} is damaged: save it anew")
        start = info.header_offset + LOCAL_HEADER + sum(struct.unpack("<HH", local[-4:]))
        file.seek(start)
        return _map(self.path, name, _read_header(file, name), file.tell(), start + info.file_size)

    def _inflated(self, file: BinaryIO, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
        """Reads an array that is compressed."""
        allowed = memory_for_data(torch.device("cpu"))
        with zipfile.ZipFile(file) as archive, archive.open(info) as stream:
            header = _read_header(stream, name)
            if header.nbytes > allowed:
                raise ValueError(
                    f"{name} inflates to {header.nbytes:,} bytes, more than the {allowed:,} that data may "
                    "take: unzip the file, and write --data npy:FILE with a file in it"
                )
        with zipfile.ZipFile(file) as archive, archive.open(info) as stream:
            return read_array(stream, name, allowed)


def _read_header(stream: IO[bytes], name: str) -> ArrayHeader:
    """Reads the header of an array of plain values. Raises ValueError."""
    try:
        header = read_array_header(stream, name)
    except Exception as error:  # a damaged header raises anything
        raise ValueError(f"{name} is not an array of numpy, or is damaged: save it anew") from error
    if header.dtype.hasobject:
        raise ValueError(f"{name} {OBJECTS}")
    if any(side < 0 for side in header.shape):
        raise ValueError(f"{name} claims {header.shape}: save it anew")
    return header


def _map(path: Path, name: str, header: ArrayHeader, start: int, end: int) -> NDArray[Any]:
    """Maps an array whose values lie from `start`, and must end by `end`."""
    if header.nbytes > end - start:
        raise ValueError(
            f"{name} is cut short: it has {max(0, end - start):,} of {header.nbytes:,} bytes; fetch it anew"
        )
    if not header.nbytes:
        return np.empty(header.shape, header.dtype)
    order: Any = "F" if header.by_columns else "C"
    return np.memmap(path, header.dtype, "r", start, header.shape, order)


def _opened(path: Path, spec: str) -> io.BufferedReader:
    """Opens a file of arrays. Raises ValueError."""
    folder = f", not a file: write --data {spec}, or --data folder:{path} for its pictures"
    with explain_file_errors(path, f"write --data {spec}", folder):
        found: Any = open_input_file(path)
        return found
