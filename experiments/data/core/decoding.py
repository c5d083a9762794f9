"""Decoding of images to pixels of one size, and the cache that keeps decoded images on disk."""

import hashlib
import os
import shutil
import struct
import weakref
import zlib
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from experiments.core.paths import cache_folder
from experiments.data.core.dataset import Fit

Pixels = NDArray[np.uint8]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
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
            os.preadv(self._pixels, [out.data], index * self._sample_bytes)
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


def channels_of(image: Image.Image) -> int:
    """Number of channels of an image: 1 for grey, 4 with transparency, else 3."""
    if image.has_transparency_data:
        return 4
    return 1 if image.mode in ("1", "L", "F") or image.mode.startswith("I") else 3


def upright_size(image: Image.Image, file: BinaryIO) -> tuple[int, int]:
    """Size (height, width) of an image just opened from `file`, as it is shown.

    Mostly this decodes nothing.
    """
    if image.width != image.height and (image.format != "PNG" or _may_be_turned(image, file)):
        on_its_side = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        if on_its_side and image.format == "JPEG":
            return image.width, image.height
        if on_its_side:  # Pillow has turned the size of some kinds already
            ImageOps.exif_transpose(image, in_place=True)
    return image.height, image.width


def _may_be_turned(image: Image.Image, file: BinaryIO) -> bool:
    """Whether a PNG says anything of its orientation, which Pillow would decode it all to find out."""
    if any("exif" in str(key) or "xmp" in str(key) for key in image.info):
        return True
    file.seek(8)
    pixels = False
    while len(chunk := file.read(8)) == 8 and chunk[4:] != b"IEND":
        pixels = pixels or chunk[4:] == b"IDAT"
        if pixels and chunk[4:] != b"IDAT":  # words that come after the pixels
            break
        file.seek(struct.unpack(">I", chunk[:4])[0] + 4, os.SEEK_CUR)
    return chunk[4:] not in (b"IEND", b"")


def resize(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Resizes an image to `size` (height, width), stretched, or else cropped."""
    height, width = size
    if image.size == (width, height):
        return image
    box = (0.0, 0.0, float(image.width), float(image.height))
    if fit != "stretch":  # the largest centred part of the aspect asked for, to the fraction of a pixel
        scale = max(width / image.width, height / image.height)
        x = max(0.0, (image.width - width / scale) / 2)
        y = max(0.0, (image.height - height / scale) / 2)
        box = (x, y, image.width - x, image.height - y)
    # Pillow widens the filter as it shrinks, and weighs colour by alpha: neither aliasing nor fringes.
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def convert(image: Image.Image, channels: int) -> Image.Image:
    """Converts an image to 8 bits; transparency is kept with 4 channels, else laid on white."""
    mode = MODES[channels]
    if image.mode == "F":
        raise ValueError("its pixels are floating-point, of unknown range; save it with 8 or 16 bits")
    if image.mode == "I" and image.format != "PNG":
        raise ValueError("its pixels are 32-bit integers, of unknown range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = _from_16_bits(image)
    if mode == "RGBA":
        return image.convert("RGBA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Converts a 16-bit image to mode L, or LA where one grey value stands for transparency.

    Pillow's convert() would clip, not scale; Pillow < 11 calls 16-bit PNGs "I".
    """
    values = np.asarray(image).clip(0, 65535)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))
