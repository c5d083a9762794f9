"""Errors of files that hold a data set, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def explain_file_errors(path: Path, missing: str, folder: str) -> Iterator[None]:
    """Turns errors of opening and reading a file into ValueErrors of one line that name it.

    Args:
        missing: advice where there is no such file.
        folder: words behind "is a folder", with the advice for one.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ValueError(f"{path} does not exist: {missing}") from error
    except IsADirectoryError as error:
        raise ValueError(f"{path} is a folder{folder}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
