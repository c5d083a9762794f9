"""Files that a user names, or that lie among data: regular files, which may be reached through links."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # for the other end of a pipe that stands in the place of a file
BYTES = getattr(os, "O_BINARY", 0)


def open_input_file(path: Path | str) -> BinaryIO:
    """Opens a regular file to read its bytes; a pipe in its place would wait without end.

    Raises OSError for a folder, a pipe, a socket or a device, and for a file that cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BYTES)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError("it is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise OSError("it is a pipe or a device, not a file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_input_file(path: Path | str, most_bytes: int) -> bytes:
    """Reads a file that `open_input_file` opens. Raises OSError where it has more than `most_bytes`."""
    with open_input_file(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(f"it has more than {most_bytes:,} bytes")
    return content
