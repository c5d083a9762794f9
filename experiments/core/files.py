"""Files: written whole or not at all, read and written through no link."""

import errno
import io
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
from torch import Tensor

from experiments.core.errors import RunError
from metrics.core.input_files import BYTES, NO_WAIT
from metrics.core.nested_values import parse_json as parse_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
LINK_ERRORS = (errno.ELOOP, errno.EMLINK, errno.ENXIO)  # of links, by system, and of sockets
TO_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND
PARTIAL = ".partial"
LEFTOVER_SECONDS = 3600.0  # longer than any one file takes to be written


def write_atomically(path: Path, content: bytes | bytearray) -> None:
    """Writes a file atomically: after a crash it is the old one or the new one.

    The steps are: write, fsync, rename, fsync the folder. The file that is renamed is always a new one, so
    that nothing is written through a link. What a killed process left of the same file is removed.
    """
    AtomicWriter().write(path, content)


class AtomicWriter:
    """Writer of many files, each as `write_atomically` does, that looks for leftovers once in each folder."""

    def __init__(self) -> None:
        self._leftovers: dict[Path, list[str]] = {}

    def write(self, path: Path, content: bytes | bytearray) -> None:
        """Writes a file atomically."""
        if path.parent not in self._leftovers:
            self._leftovers[path.parent] = [entry.name for entry in _leftovers_in(path.parent)]
        if any(is_leftover(name, path.name) for name in self._leftovers[path.parent]):
            remove_leftovers(path.parent, path.name, LEFTOVER_SECONDS)
        with _open_replacement(path) as file:
            file.write(content)


@contextmanager
def open_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Context that yields a new file to write, which takes the place of `path` at its end, or not at all.

    It is what `write_atomically` does, for content that is made while it is written.
    """
    remove_leftovers(path.parent, path.name, LEFTOVER_SECONDS)
    with _open_replacement(path) as file:
        yield file


@contextmanager
def _open_replacement(path: Path) -> Iterator[IO[bytes]]:
    """Context that yields a new file, which is put in the place of `path` at its end."""
    temporary = path
    try:
        temporary, descriptor = _make_temporary(path)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:  # as long as it is locked
                temporary.replace(path)
        if fcntl is None:  # a system that renames no open file
            temporary.replace(path)
    except BaseException as error:
        if temporary != path:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # an error of write() does not name the file by itself
        raise
    if os.name == "posix":  # elsewhere folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _make_temporary(path: Path) -> tuple[Path, int]:
    """Makes the new file that will replace `path`, open and locked: so it is no leftover to anyone else."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK | BYTES, 0o666)
        try:
            lock_file(descriptor)
            if os.fstat(descriptor).st_nlink:  # or else it was taken for a leftover before it was locked
                return temporary, descriptor
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise


def lock_file(descriptor: int, waits: bool = True) -> bool:
    """Locks an open file until it is closed; returns whether it is locked, as it may not be everywhere."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except OSError:  # another process has it, or the file system knows no locks
        return False
    return True


def is_leftover(name: str, of: str = "") -> bool:
    """Whether a name is that of a file that was being written: of any, or of the one with the name `of`."""
    return name.startswith(f".{of}." if of else ".") and name.endswith(PARTIAL)


def remove_leftovers(folder: Path, of: str = "", seconds: float = 0.0) -> None:
    """Removes what killed processes left of files that they were writing.

    A file that its process has locked is none, nor, where there are no locks, one that is younger than
    `seconds`.

    Args:
        of: name of the file; empty for all.
    """
    before = time.time() - seconds
    for entry in _leftovers_in(folder, of):
        with suppress(OSError):
            if _is_abandoned(entry.path) or entry.stat(follow_symlinks=False).st_mtime <= before:
                Path(entry.path).unlink()


def _leftovers_in(folder: Path, of: str = "") -> list["os.DirEntry[str]"]:
    """The files in a folder that may be leftovers; none where it cannot be read."""
    found: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as entries:
        found.extend(entry for entry in entries if is_leftover(entry.name, of))
    return found


def _is_abandoned(path: str) -> bool:
    """Whether no process is writing a file. Raises OSError for a link, which is no file of ours."""
    descriptor = os.open(path, os.O_RDONLY | NO_LINK | NO_WAIT)
    try:
        return lock_file(descriptor, waits=False)
    finally:
        os.close(descriptor)


def open_regular_file(path: Path, flags: int = os.O_RDONLY) -> io.FileIO:
    """Opens a file of a folder that others may have filled: a regular file, and not through a link.

    A pipe in its place would wait without end, and a link would lead out of the folder. Raises RunError for
    these, and OSError for a file that cannot be opened.
    """
    refusal = f"{path} is a link, a folder, a pipe or a device, where a file belongs; remove it"
    try:
        descriptor = os.open(path, flags | NO_LINK | NO_WAIT | BYTES, 0o666)
    except OSError as error:
        if error.errno in LINK_ERRORS:
            raise RunError(refusal) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunError(refusal)
    return io.FileIO(descriptor, "r+" if flags & os.O_RDWR else "r")


def read_regular_file(path: Path, most_bytes: int | None = None) -> bytes:
    """Reads a file that `open_regular_file` opens. Raises RunError where it has more than `most_bytes`."""
    with open_regular_file(path) as file:
        if most_bytes is not None and os.fstat(file.fileno()).st_size > most_bytes:
            raise RunError(f"{path} has more than {most_bytes:,} bytes, too many for what it is")
        return file.readall()


def append_line(path: Path, line: str, is_repeated: bool = True) -> None:
    """Appends a line to a file that `open_regular_file` opens; the file is made where there is none.

    It stands on a line of its own also where the last one was torn, as by a full disk. Raises OSError, which
    names the file, where it cannot be written.

    Args:
        is_repeated: whether it is appended where the last line is the same already.
    """
    content = f"{line}\n".encode()
    try:
        with open_regular_file(path, TO_APPEND) as file:
            if size := file.seek(0, os.SEEK_END):
                file.seek(max(0, size - len(content) - 1))
                end = file.readall()
                if not is_repeated and end in (content, b"\n" + content):
                    return
                content = content if end.endswith(b"\n") else b"\n" + content
            while content:
                content = content[file.write(content) :]
    except OSError as error:
        error.filename = str(path)
        raise


def refuse_link(path: Path) -> None:
    """Refuses a link within a run folder, which may lead out of it. Raises RunError."""
    if path.is_symlink():
        raise RunError(f"{path} is a link, which may lead out of its folder; remove it")


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
