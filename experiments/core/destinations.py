"""Destinations, the files and folders that `--out` names: checked before the work begins.

What is there already is not written over without `--force`, unless the same command wrote it and nobody has
changed it since. Which content each command wrote where stands in the cache folder, in `written/`; where that
is deleted, or cannot be written, every existing file counts as somebody else's.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from experiments.core.errors import RunError, UsageError
from experiments.core.files import open_regular_file, write_atomically
from experiments.core.paths import cache_folder


def check_destination(out: str, *endings: str, option: str = "--out") -> Path:
    """Checks the name and the folder of the file that `--out`, or another option, names; returns its path.

    Raises UsageError for an ending that is not one of `endings`, and RunError for a folder that cannot be
    written, before the work of minutes whose result would be lost.
    """
    path = Path(out)
    if path.suffix not in endings or path.is_dir():
        *others, last = (f"FILE{ending}" for ending in endings)
        raise UsageError(f"{option} {out}: give {', '.join(others)}{' or ' if others else ''}{last}")
    check_writable(path, option)
    return path


def check_writable(path: Path, option: str = "--out") -> None:
    """Checks that a file can be made at `path`, whose folders need not be there. Raises RunError."""
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise RunError(f"cannot write {path}: no file can be made in {folder}; give another {option}")


@contextmanager
def output_file(
    command: str,
    out: str,
    *endings: str,
    force: bool = False,
    beside: Sequence[str] = (),
    option: str = "--out",
) -> Iterator[Path]:
    """Checks the file that `--out` names, yields its path, and remembers what has been written there.

    Args:
        command: the command that writes, which may write over its own files.
        endings: endings that the file may have.
        force: write over any file.
        beside: names of further files that are written into its folder.
        option: the option that names the file.

    Raises UsageError for an ending that is not one of `endings` and for a file that is there already and not
    the command's own, RunError for a folder that cannot be written.
    """
    path = check_destination(out, *endings, option=option)
    files = [path, *(path.with_name(name) for name in beside)]
    for file in files:
        if os.path.lexists(file) and not force and not _is_own(command, file):
            raise UsageError(
                f"{option} {out}: {file} exists, and is not as gans {command} wrote it; take another "
                f"{option}, or --force to write over it"
            )
    yield path
    for file in files:
        _remember(command, file)


@contextmanager
def output_folder(command: str, out: str, names: Iterable[str], *, force: bool = False) -> Iterator[Path]:
    """Checks the folder that `--out` names, yields its path, and remembers what has been written there.

    A folder that holds anything is refused, unless it is what the same command wrote and every file in it is
    among the `names` that are written now: others would stay among the new ones. Hidden files do not count.

    Args:
        names: names of the files that are written.
        force: write into any folder, over files of these names; others stay.

    Raises UsageError for such a folder, RunError for one that cannot be written.
    """
    path = Path(out)
    check_writable(path / "file")
    present = _visible(path)
    if present and not force and (set(present).difference(names) or not _is_own(command, path)):
        raise UsageError(
            f"--out {out}: the folder is not empty, and what it holds would stay among the new; take another "
            "--out, or --force to write into it"
        )
    yield path
    _remember(command, path)


def _visible(folder: Path) -> list[str]:
    """Names of the visible files in a folder, sorted; none where it does not exist."""
    try:
        return sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}; give another --out") from error


def _is_own(command: str, path: Path) -> bool:
    """Whether a file, or all visible files of a folder, are as the command wrote them."""
    try:
        record = _record_of(path).read_text(encoding="utf-8")
        return record == f"{command} {_hash(path)}\n"
    except (OSError, RunError, ValueError):
        return False


def _remember(command: str, path: Path) -> None:
    """Remembers that the command wrote a file or folder; without a cache folder nothing is remembered."""
    with suppress(OSError, RunError, ValueError):
        record = _record_of(path)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(record, f"{command} {_hash(path)}\n".encode())


def _record_of(path: Path) -> Path:
    """The file that says which command wrote `path`, and what."""
    place = os.fsencode(path.parent.resolve() / path.name)
    return cache_folder() / "written" / hashlib.sha256(place).hexdigest()[:32]


def _hash(path: Path) -> str:
    """Hashes a file, or names and content of the visible files of a folder; raises RunError for a link."""
    if not path.is_dir() or path.is_symlink():
        with open_regular_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = (f"{_hash(path / name)}  {name!r}\n" for name in _visible(path))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
