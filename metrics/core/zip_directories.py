"""Directories of zip files, whose size is looked at before they are read."""

import zipfile
from typing import BinaryIO

SIZE_OF_DIRECTORY = 5  # place of it in what the reader finds at the end of the file


def check_directory(file: BinaryIO, most_bytes: int) -> None:
    """Checks that the directory of a zip file is not too large: each entry takes ten times its bytes.

    Raises ValueError where it has more than `most_bytes`. Any other fault is left to the reader.
    """
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # what ZipFile goes by, with zip64
    if end and end[SIZE_OF_DIRECTORY] > most_bytes:
        raise ValueError(f"its directory has more than {most_bytes:,} bytes")
