"""Cache of indices on disk: what the headers of large files say, so that a start need not read them anew."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.core.errors import RunError
from experiments.core.files import read_regular_file, write_atomically
from experiments.core.paths import cache_folder

FORMAT = "1"  # of the files; another number, other names
CHECKSUM_BYTES = 8  # CRC-32 in hexadecimal digits, at the beginning of a file


def load_index(key: str) -> list[Any] | None:
    """Loads the rows that were saved under a key (`cache_key`); None where there are none, or not whole."""
    try:
        content = read_regular_file(_file_of(key))
    except (OSError, RunError):
        return None
    rows = content[CHECKSUM_BYTES:]
    return json.loads(rows) if _checksum(rows) == content[:CHECKSUM_BYTES] else None


def save_index(key: str, rows: Sequence[object]) -> bool:
    """Saves rows, of what JSON holds, under a key; returns whether they could be.

    The file is written whole or not at all: a kill, a full disk or a second process that saves the same rows
    costs no more than reading the headers again.
    """
    content = json.dumps(rows, separators=(",", ":")).encode()
    file = _file_of(key)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, _checksum(content) + content)
    except OSError:  # the cache of decoded images, which needs more room, says what to do
        return False
    return True


def _file_of(key: str) -> Path:
    return cache_folder() / "indices" / f"{key}.{FORMAT}.json"


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)
