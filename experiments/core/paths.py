"""Paths as users write them, the cache folder, and the user's own config folder."""

import os
import re
from pathlib import Path

from experiments.core.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def expand_home(path: str) -> Path:
    """Expands ~ in a path to a home folder. Raises ValueError for that of an unknown user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path} is in the home folder of nobody known: write the whole path") from error


def require_path(path: Path, takes: str, words: str = "") -> None:
    """Refuses a path that does not exist, in the words of all commands.

    Args:
        takes: what to give in its place.
        words: the path as it was typed; by default as it is.

    Raises UsageError where there is nothing; a link that leads nowhere is for who opens it.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{words or path} does not exist; give {takes}") from error
    except OSError:
        return  # who opens it says why it cannot be read


def cache_folder() -> Path:
    """The cache folder: `$GANS_CACHE`, or `~/.cache/gans`.

    It need not exist, and may be deleted at any time.
    """
    try:
        return expand_home(os.environ.get("GANS_CACHE") or "~/.cache/gans")
    except ValueError as error:
        raise ValueError(f"GANS_CACHE: {error}") from error


def config_folder() -> Path:
    """The user's own config folder: `$GANS_CONFIG`, `$XDG_CONFIG_HOME/gans`, or `~/.config/gans`.

    It need not exist.
    """
    own, shared = os.environ.get("GANS_CONFIG"), os.environ.get("XDG_CONFIG_HOME")
    try:
        return expand_home(own or (f"{shared}/gans" if shared else "~/.config/gans"))
    except ValueError as error:
        raise ValueError(f"GANS_CONFIG: {error}") from error


def weights_file(extractor: str, name: str) -> Path:
    """The file of weights behind `--extractor EXTRACTOR:NAME`. Raises ValueError for an unfit name."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' is no name of an {extractor} extractor: letters, digits, '-', '_' and '.', at most 100"
        )
    return cache_folder() / extractor / f"{name}.safetensors"
