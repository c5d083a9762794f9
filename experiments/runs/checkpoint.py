"""Checkpoints: written whole or not at all, verified by content hash, loaded without executing code."""

import hashlib
import io
import logging
import os
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO

import torch

from experiments.core.console import NO_MEMORY
from experiments.core.errors import RunError
from experiments.core.files import (
    open_atomically,
    open_regular_file,
    read_regular_file,
    refuse_link,
    write_atomically,
)
from experiments.core.named_values import StateDict
from metrics.core.torch_files import load_torch_file

log = logging.getLogger("gans")

FORMAT = 1
MOST_COUNT = 2**53
MOST_HASH_BYTES = 4096  # of the file that holds a hash
NAME = re.compile(r"step-(\d{8,})\.pt")


class Checkpoints:
    """The checkpoints of one run folder, `step-00001000.pt` with `step-00001000.pt.sha256` beside it.

    Args:
        folder: where they stand.
        keep: how many of the newest are kept.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def paths(self) -> list[Path]:
        """Paths of the checkpoints, oldest first. Raises RunError for a folder that is a link."""
        refuse_link(self.folder)
        return sorted(path for path in self.folder.glob("step-*.pt") if NAME.fullmatch(path.name))

    def save(self, step: int, content: StateDict, uncounted: Collection[int] = ()) -> Path:
        """Writes a checkpoint and deletes the oldest. Raises RunError when the disk does not take it.

        Args:
            uncounted: steps whose checkpoints do not count among those that are kept: they go with the next.
        """
        refuse_link(self.folder)
        path = self.folder / checkpoint_name(step)
        content = {"format": FORMAT, "step": step, **content}
        try:
            write_with_hash(path, lambda file: torch.save(content, file))  # type: ignore[arg-type]
        except OSError as error:
            if not path.exists():
                hash_path(path).unlink(missing_ok=True)
            last = self.paths()[-1:]
            kept = f"the last good checkpoint is {last[0].name}" if last else "there is no earlier checkpoint"
            raise RunError(f"cannot write {path}: {error.strerror or error}; {kept}") from error
        # Whatever stands after this step is damaged: had it been readable, the run would have resumed there.
        self.forget_after(step)
        self.forget_old(step, uncounted)
        return path

    def forget_old(self, step: int, uncounted: Collection[int] = ()) -> None:
        """Deletes all checkpoints up to a step but the newest, and what a killed process left of others."""
        past = [path for path in self.paths() if step_of(path) <= step]
        counted = [path for path in past if step_of(path) not in uncounted]
        for path in set(past) - {*past[-1:], *counted[-self.keep :]}:
            remove_with_hash(path)
        for file in self.folder.glob("step-*.pt.sha256"):
            if not file.with_suffix("").exists():
                file.unlink()

    def forget_after(self, step: int) -> None:
        """Deletes the checkpoints of later steps."""
        for path in self.paths():
            if step_of(path) > step:
                remove_with_hash(path)

    def newest(self) -> StateDict | None:
        """Loads the newest checkpoint that can be read, None where there is none at all.

        A line in the log names each damaged one, which is passed over; raises RunError when
        all are damaged, or when the newest was written by a newer version.
        """
        paths = self.paths()
        for path in reversed(paths):
            try:
                return load_checkpoint(path)
            except DamagedError as error:
                log.info(f"{error}; trying the one before")
        if paths:
            raise RunError(
                f"{self.folder}: none of its {len(paths)} checkpoints can be read; start anew with --out"
            )
        return None


class DamagedError(RunError):
    """Error for a file that is not, or no longer, a checkpoint."""


def checkpoint_name(step: int) -> str:
    """The file name of the checkpoint of a step."""
    return f"step-{step:08d}.pt"


def step_of(path: Path) -> int:
    """The step in the name of a checkpoint."""
    return int(path.stem.removeprefix("step-"))


def rename_keys(state: StateDict, renamed: Mapping[str, str]) -> StateDict:
    """Renames keys in a state dict of an earlier version by their prefixes."""
    found = {}
    for key, value in state.items():
        old = next((prefix for prefix in renamed if f".{prefix}." in f".{key}."), None)
        found[key if old is None else f".{key}.".replace(f".{old}.", f".{renamed[old]}.")[1:-1]] = value
    return found


def hash_path(path: Path) -> Path:
    """The path of the hash beside a checkpoint or an exported file."""
    return path.with_name(path.name + ".sha256")


def read_hash(path: Path) -> str:
    """Reads the hash beside a file, as hexadecimal digits.

    Raises OSError where there is none, RunError for a link in its place, ValueError for what is no hash.
    """
    words = read_regular_file(hash_path(path), MOST_HASH_BYTES).decode("ascii").split()
    if not words:
        raise ValueError("it is empty")
    return words[0]


def hash_file(file: io.FileIO) -> str:
    """Computes the SHA-256 of an open file, in hexadecimal digits, without holding its content.

    The file is at its start afterwards. Raises OSError where it cannot be read.
    """
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def is_whole(path: Path) -> bool:
    """Whether a file is there, holds anything, and has the content of the hash beside it, if there is one."""
    try:
        with open_regular_file(path) as file:
            if not os.fstat(file.fileno()).st_size:
                return False
            try:
                expected = read_hash(path)
            except FileNotFoundError:
                return True
            return hash_file(file) == expected
    except (OSError, ValueError, RunError):
        return False


class HashedFile:
    """Open file that hashes what is written to it.

    A full disk does not interrupt the writer, which may be no Python code, but is the `error` afterwards.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()
        self.error: OSError | None = None

    def write(self, content: bytes | memoryview) -> int:
        """Writes and hashes content."""
        if self.error is None:
            self.digest.update(content)
            try:
                self.file.write(content)
            except OSError as error:
                self.error = error
        return len(content)

    def flush(self) -> None:
        """Does nothing: the file is flushed when it is whole."""


def write_hash(path: Path, content: bytes) -> None:
    """Writes the hash of a file's content beside it. Raises OSError where the disk does not take it."""
    _write_digest(path, hashlib.sha256(content).hexdigest())


def _write_digest(path: Path, digest: str) -> None:
    write_atomically(hash_path(path), f"{digest}  {path.name}\n".encode())


def write_with_hash(path: Path, write: Callable[[HashedFile], object]) -> None:
    """Writes a file with its hash beside it. Raises OSError where the disk does not take it.

    The content goes to a new file first. The hash has its place before that: a file without one never exists,
    nor one beside the hash of another.

    Args:
        write: writes the content, in any number of pieces.
    """
    with open_atomically(path) as file:
        hashed = HashedFile(file)
        write(hashed)
        if hashed.error is not None:
            raise hashed.error
        file.flush()
        path.unlink(missing_ok=True)
        _write_digest(path, hashed.digest.hexdigest())


def remove_with_hash(path: Path) -> None:
    """Removes a file and the hash beside it, if they are there."""
    path.unlink(missing_ok=True)
    hash_path(path).unlink(missing_ok=True)


def _has_counts(content: StateDict) -> bool:
    """Whether the numbers that count something are whole ones, where they are there; two must be."""
    counts = [content.get(name, 0) for name in ("seen", "revision", "rollbacks")]
    counts += [content.get(name) for name in ("format", "step")]
    return all(type(count) is int and 0 <= count <= MOST_COUNT for count in counts)


def load_checkpoint(path: Path) -> StateDict:
    """Loads one checkpoint onto the CPU.

    Only tensors and plain values are admitted: a pickle that would call anything is refused unexecuted.
    Raises DamagedError for a file that is not a checkpoint, is a link or fails its hash, RunError for a newer
    format, and where there is not enough memory.
    """
    try:
        refuse_link(path.parent)
        expected = read_hash(path)
        file = open_regular_file(path)
    except RunError as error:
        raise DamagedError(f"checkpoint {error}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "unreadable hash"
        raise DamagedError(f"checkpoint {path}: cannot be verified ({reason})") from error
    with io.BufferedReader(file) as stream:
        if hash_file(file) != expected:
            raise DamagedError(f"checkpoint {path}: damaged (its content does not match its hash)")
        try:
            content = load_torch_file(stream)
        except Exception as error:  # whatever a tampered file makes the reader stumble over
            if isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):  # an earlier one is no remedy
                raise RunError(f"checkpoint {path}: not enough memory to read it; free some") from error
            raise DamagedError(f"checkpoint {path}: not a checkpoint of gans") from error
    if not isinstance(content, dict) or not _has_counts(content):
        raise DamagedError(f"checkpoint {path}: not a checkpoint of gans")
    if content["format"] > FORMAT:
        raise RunError(
            f"checkpoint {path}: format {content['format']} is newer than {FORMAT}, the newest that "
            "this version reads; upgrade gans"
        )
    return content
