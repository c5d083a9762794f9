"""Where commands write: checked before they work, written whole or not at all."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from experiments.checkpoint import write_atomically
from experiments.errors import RunError, UsageError
from experiments.pictures import save_png


def destination(out: str, *endings: str) -> Path:
    """The file that `--out` names.

    Raises UsageError for an ending that is not one of `endings`, and RunError for a folder that cannot be
    written, before the work of minutes whose result would be lost.
    """
    path = Path(out)
    if path.suffix not in endings or path.is_dir():
        *others, last = (f"FILE{ending}" for ending in endings)
        raise UsageError(f"--out {out}: give {', '.join(others)}{' or ' if others else ''}{last}")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise RunError(f"cannot write {path}: no file can be made in {folder}; give another --out")
    return path


@contextmanager
def folder_made(path: Path) -> Iterator[None]:
    """Makes the folders above a file that is written here. Raises RunError where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def write_file(path: Path, content: bytes) -> None:
    """Writes a file. Raises RunError where it cannot be written."""
    with folder_made(path):
        write_atomically(path, content)


def write_picture(path: Path, picture: Image.Image) -> None:
    """The same for a picture, as PNG."""
    with folder_made(path):
        save_png(picture, path)


def write_array(path: Path, array: Tensor) -> None:
    """The same for an array, as NPY."""
    buffer = io.BytesIO()
    np.save(buffer, array.numpy())
    write_file(path, buffer.getvalue())
