"""Writing of files: destinations are checked before the work, files are written whole or not at all."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from torch import Tensor

from experiments.core.errors import RunError, UsageError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file atomically: after a crash it is the old one or the new one.

    The steps are: write, fsync, rename, fsync the folder.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = str(path)  # an error of write() does not name the file by itself
        raise
    if os.name == "posix":  # elsewhere folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_destination(out: str, *endings: str) -> Path:
    """Checks the file that `--out` names before the work begins, and returns its path.

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
def make_parent_folders(path: Path) -> Iterator[None]:
    """Makes the folders above a file that is written within. Raises RunError where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def write_file(path: Path, content: bytes) -> None:
    """Writes a file. Raises RunError where it cannot be written."""
    with make_parent_folders(path):
        write_atomically(path, content)


def write_array(path: Path, array: Tensor) -> None:
    """Writes an array as an NPY file. Raises RunError where it cannot be written."""
    buffer = io.BytesIO()
    np.save(buffer, array.numpy())
    write_file(path, buffer.getvalue())
