"""Helpers of the tests of image sets: folders of noise, opened and fetched."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet, Fit
from experiments.data.folder import Folder

BOTH = pytest.mark.parametrize("held_bytes", [image_files.HELD_BYTES, 0], ids=["held", "cached"])


def opened(
    root: Path,
    fit: Fit = "auto",
    skip_bad: bool = False,
    channels: int | None = None,
    size: tuple[int, int] = (8, 8),
) -> DataSet:
    """The images of a folder as a set."""
    return Folder(str(root), DataAccess(skip_bad=skip_bad)).open(size, channels, fit)


def fetched(data: DataSet) -> Tensor:
    """All images of a set, in order."""
    return data.fetch(torch.arange(len(data)))


def noise(seed: int, height: int = 8, width: int = 8) -> Image.Image:
    """An image of noise in colour, the same for the same seed."""
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8))


def make(root: Path, count: int, ending: str = "png") -> Tensor:
    """Writes images of noise, and gives their pixels."""
    root.mkdir(exist_ok=True)
    images = [noise(number) for number in range(count)]
    for number, image in enumerate(images):
        image.save(root / f"{number:03}.{ending}")
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)


def png_of_16_bits(pixels: np.ndarray[Any, Any], *further: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16 bits `(H, W, 2, 3 or 4)`, which Pillow does not write, with further chunks."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)),
        *further,
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
