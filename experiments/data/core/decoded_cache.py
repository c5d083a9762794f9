"""Cache that keeps decoded images on disk."""

import hashlib
import os
import shutil
import struct
import weakref
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.core.paths import cache_folder

Pixels = NDArray[Any]  # uint8, or the type of arrays of numbers
SPARE_BYTES = 2**30  # left free on the disk, for what the run itself writes
FORMAT = "1"  # of the files below; another number, another key


class DecodedCache:
    """Cache of N decoded samples on disk, each decoded once and found again by every later run.

    `KEY.pixels` holds sample after sample, `KEY.checksums` the CRC-32 of each, 0 where there is none. A
    sample is written before its checksum, and one that does not match its checksum is as good as absent.
    So a kill, a power cut, a full disk or a second process that fills the same cache costs a sample that
    is decoded again, never a wrong one. The files are in the cache folder's `decoded/`.

    Where the cache cannot be had it holds nothing and keeps nothing, and says so.

    Args:
        key: name of everything that decides on the pixels (`cache_key`).
        count: N; sample_bytes: the size of each.

    Attributes:
        present: which samples were there at the start, `(N,)`.
        remarks: remarks for the user, a line each; may grow when the disk turns out to be full.
    """

    def __init__(self, key: str, count: int, sample_bytes: int) -> None:
        self.folder = cache_folder() / "decoded"
        self._sample_bytes = sample_bytes
        self._readable = self._writable = True
        self.present = np.zeros(count, dtype=np.bool_)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._pixels, self._checksums = (self._open(f"{key}.{part}") for part in ("pixels", "checksums"))
            checksums = os.pread(self._checksums, 4 * count, 0)
            self.present[: len(checksums) // 4] = np.frombuffer(checksums, "<u4", len(checksums) // 4) != 0
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            self._readable = self._writable = False
            self._set_remark(f"cannot be kept in {self.folder} ({error.strerror or error})")
            return
        self.remarks: tuple[str, ...] = (
            f"decoded images are kept in {self.folder}, {_in_units(count * sample_bytes)} when it holds all; "
            "it can be deleted at any time",
        )
        missing = int((~self.present).sum()) * sample_bytes
        if missing + SPARE_BYTES > free:
            self._writable = False
            self._set_remark(
                f"are not kept: {_in_units(missing)} are missing in {self.folder}, "
                f"where {_in_units(free)} are free"
            )

    def load(self, index: int, out: Pixels) -> bool:
        """Loads the sample at `index` into `out`; returns whether it was there, and whole."""
        if not self._readable:
            return False
        try:
            checksum = os.pread(self._checksums, 4, 4 * index)
            if checksum in (b"", bytes(4)):
                return False
            if os.preadv(self._pixels, [out.data], index * self._sample_bytes) != self._sample_bytes:
                return False  # torn: the rest of `out` is what was in its memory, perhaps of the same sample
        except OSError:
            return False
        return checksum == _checksum(out)

    def save(self, index: int, pixels: Pixels) -> None:
        """Writes a sample to the cache, unless the disk is full."""
        if not self._writable:
            return
        try:
            # Not through mapped memory: there a full disk is no error, but the end of the process.
            for file, content, offset in (
                (self._pixels, pixels.data, index * self._sample_bytes),
                (self._checksums, memoryview(_checksum(pixels)), 4 * index),
            ):
                if os.pwrite(file, content, offset) != content.nbytes:
                    raise OSError("no space left")
        except OSError as error:
            self._writable = False
            self._set_remark(f"are no longer kept in {self.folder} ({error.strerror or error})")

    def _open(self, name: str) -> int:
        file = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        weakref.finalize(self, os.close, file)
        return file

    def _set_remark(self, problem: str) -> None:
        self.remarks = (
            f"decoded images {problem}, and are decoded whenever they are needed; "
            "make room there, or set GANS_CACHE to another folder",
        )


def cache_key(words: Iterable[str]) -> str:
    """Hashes words to a name that no other words have."""
    hashed = hashlib.sha256(FORMAT.encode())
    for word in words:
        content = word.encode("utf-8", "surrogateescape")  # file names need not be valid text
        hashed.update(struct.pack("<Q", len(content)) + content)
    return hashed.hexdigest()[:32]


def _checksum(pixels: Pixels) -> bytes:
    return struct.pack("<I", zlib.crc32(pixels.data) or 1)  # 0 stands for none


def _in_units(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
