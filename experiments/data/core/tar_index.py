"""Indices of tar files: where each member's bytes lie, found from the headers alone."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from experiments.data.core.file_errors import explain_file_errors
from experiments.data.core.path_names import plain_path
from metrics.core.input_files import open_input_file

BLOCK = 512
MOST_HEADER_BYTES = 2**20  # that are read at once: a header of a long name, and no content
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd"}


class TarMember(NamedTuple):
    """A file in a tar file: its path there, the place of its first byte, and its size."""

    path: str
    start: int
    size: int


class _HeaderReader:
    """Reader of the headers of a tar file, which refuses to read as much as no header has."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Reads bytes of a header. Raises ValueError where it claims to be huge."""
        if not 0 <= size <= MOST_HEADER_BYTES:
            raise ValueError("a header claims to be huge")
        return self._file.read(size)


def index_tar(path: Path) -> Iterator[TarMember]:
    """Lists the files in a tar file, in their order; folders, links and devices are left out.

    Raises ValueError, in one line that names the tar file, where it cannot be read, is compressed, damaged or
    cut short.
    """
    folder = f": write --data 'wds:{path}/*.tar' for the tar files in it"
    with (
        explain_file_errors(path, "write --data wds:FILE.tar", folder),
        open_input_file(path) as file,
    ):
        _check_beginning(path, file.read(2))
        end = file.seek(0, 2)
        file.seek(0)
        yield from _members_of(path, file, end)


def _check_beginning(path: Path, beginning: bytes) -> None:
    """Checks that a tar file is one, and not compressed: in these no member can be reached directly."""
    if not beginning:
        raise ValueError(f"{path} is empty, and no tar file: fetch it anew")
    if form := COMPRESSED.get(beginning):
        raise ValueError(
            f"{path} is compressed with {form}, so that no place in it can be reached: unpack it"
        )


def _members_of(path: Path, file: BinaryIO, end: int) -> Iterator[TarMember]:
    """Lists the files of an opened tar file of `end` bytes."""
    reached = 0
    try:
        with tarfile.open(fileobj=_HeaderReader(file), mode="r:") as tar:  # type: ignore[call-overload]
            for member in tar:
                tar.members = []  # else all of them are kept
                reached = member.offset_data + (member.size if member.isreg() else 0)
                if reached > end:
                    break
                if member.isreg() and member.sparse is None:
                    yield TarMember(plain_path(member.name), member.offset_data, member.size)
            file.seek(-(-reached // BLOCK) * BLOCK)
    except (tarfile.TarError, ValueError, OverflowError, MemoryError, EOFError) as error:
        if reached == 0:
            raise ValueError(f"{path} is not a tar file, or is damaged: fetch it anew") from error
        reached = end + 1
    # The reader takes a header that is cut off, or damaged, for the end; only blocks of zeros are.
    if reached > end or file.read(BLOCK) != bytes(BLOCK):
        raise ValueError(
            f"{path} is cut short or damaged, at byte {min(reached, end):,} of {end:,}: fetch it anew"
        )
