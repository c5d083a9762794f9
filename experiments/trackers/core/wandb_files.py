"""Lines that W&B has written to a run's own files, so that a resumed run does not write them again.

A `.wandb` file is a log as LevelDB writes it: a header of 7 bytes, then blocks of 32 KiB with pieces of
records, each a protocol buffer of W&B.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.core.files import read_regular_file

FILE_HEADER, BLOCK = 7, 2**15
PIECE = struct.Struct("<IHB")  # checksum, length, kind
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
MOST_BYTES = 2**30  # of a file
OWN = "_"  # what the names of W&B's own columns begin with


def offline_lines(home: Path, identity: str) -> Iterator[dict[str, Any]]:
    """Yields the lines that the offline parts of a run hold, oldest first; a torn end is left out.

    Args:
        home: the folder `wandb/` of the run folder.
        identity: the id of the run.
    """
    for file in sorted(home.glob(f"offline-run-*-{identity}/run-{identity}.wandb")):
        for content in _records(read_regular_file(file, MOST_BYTES)):
            line = _line(content)
            if line:
                yield line


def _records(log: bytes) -> Iterator[bytes]:
    """Yields whole records of a log, until one is torn."""
    place, parts = FILE_HEADER, b""
    while place + PIECE.size <= len(log):
        left = BLOCK - place % BLOCK
        if left < PIECE.size:  # the end of a block, where no piece fits
            place += left
            continue
        _, length, kind = PIECE.unpack_from(log, place)
        place += PIECE.size
        if kind not in (WHOLE, FIRST, MIDDLE, LAST) or place + length > len(log):
            return
        parts = (b"" if kind in (WHOLE, FIRST) else parts) + log[place : place + length]
        place += length
        if kind in (WHOLE, LAST):
            yield parts


def _line(content: bytes) -> dict[str, Any]:
    """The values of a line by name, of objects their parts as `samples.sha256`; empty for another record."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    try:
        record = Record.FromString(content)
        if record.WhichOneof("record_type") != "history":
            return {}
        named = {
            ".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item
        }
    except (DecodeError, ValueError):
        return {}
    return {name: value for name, value in named.items() if not name.startswith(OWN)}
