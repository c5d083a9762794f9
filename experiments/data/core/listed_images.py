"""The base of sources of encoded images that are listed with their labels, not arranged in folders."""

import io
import os
from abc import ABC
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from experiments.data.core.arrangement import Arrangement
from experiments.data.core.dataset import Attributes, NoHeldOutDataError
from experiments.data.core.image_source import StoredImageSource
from metrics.core.input_files import open_input_file


class ListedImageSource(StoredImageSource, ABC):
    """Source of encoded images with the classes of their arrangement."""

    @property
    def held_out_arrangement(self) -> Arrangement:
        """The images that are held out: by default none."""
        raise NoHeldOutDataError(f"{self.location} holds no images out from training")

    @property
    def attributes(self) -> Attributes | None:
        """Attributes of the images: the class is the only one."""
        return None

    @property
    def remarks_on_others(self) -> tuple[str, ...]:
        return ()

    def classes_of(self, found: Arrangement) -> tuple[Tensor | None, Sequence[str]]:
        return found.labels, found.classes


class FilePart(io.RawIOBase):
    """Reader of a part of a file, with a file handle of its own.

    Args:
        path: the file.
        start: first byte of the part; size: its bytes.

    Raises OSError where the file cannot be opened.
    """

    def __init__(self, path: str, start: int, size: int) -> None:
        self._file: BinaryIO = open_input_file(path)
        self._start, self._size, self._place = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._place))
        self._file.seek(self._start + self._place)
        content = self._file.read(count)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self._file.close()
        super().close()


def file_stamp(file: Path) -> str:
    """A stamp of a file's path, size and times, which changes when its content may have changed."""
    try:
        status = file.stat()
    except OSError:
        return f"{file.absolute()} missing"
    return f"{file.absolute()} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
