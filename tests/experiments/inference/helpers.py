"""Helpers of the tests of `gans translate`: image files of noise, and the command that translates them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Gans = Callable[..., Any]
Refused = Callable[..., str]
ARCHITECTURES = ("pix2pix", "cyclegan", "stargan", "swap")  # those that translate


def paint(file: str, height: int, width: int, channels: int = 3, seed: int = 0) -> Path:
    """An image file of noise."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(256, size=(height, width, channels), dtype=np.uint8)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)
    return path


def read(file: str | Path) -> np.ndarray[Any, Any]:
    """The pixels of an image file."""
    with Image.open(file) as image:
        return np.asarray(image)


def files_below(folder: str | Path) -> set[str]:
    """The paths of all files in a folder, within it."""
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def translated(gans: Gans, line: str, *words: object) -> Any:
    """The outcome of `gans translate` with these words, which has to succeed."""
    outcome = gans(f"translate {line} --device cpu", *words)
    assert outcome.status == 0, outcome
    return outcome
