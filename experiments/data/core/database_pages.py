"""Checks of the pages of a database of LMDB, whose library trusts them: a damaged one would end the process.

The format is that of version 0.9: two pages of metadata, of which the later one holds, and a tree of pages
with the keys. A value that does not fit into its page has pages of its own.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from metrics.core.input_files import open_input_file

MAGIC, VERSION = 0xBEEFC0DE, 1
# Flags of the page, magic, version, size of a page, flags of the tables of free pages and of keys, root of
# the latter, last page, transaction.
META = struct.Struct("<10xH4x II 16x IH42x 4xH34xQ QQ")
HEADER = struct.Struct("<QHHHH")  # number, padding, flags, end of the list of nodes, first byte of the nodes
NODE = struct.Struct("<HHHH")
BRANCH, LEAF, META_PAGE = 1, 2, 8
LARGE_VALUE = 1  # flag of a node
NO_PAGE = 2**64 - 1
INTEGER_KEYS = 8  # flag of the table of free pages
SINGLE_FILE = 0x4000  # flag beside it, of a database that is a file and not a folder
PAGE_SIZES = [2**power for power in range(9, 17)]
MOST_LEVELS = 31  # that the library can go down


class DamagedDatabaseError(ValueError):
    """Error of a database that the library must not see."""


class Meta(NamedTuple):
    """Metadata of a database.

    Attributes:
        page_size: in bytes.
        root: number of the topmost page; `NO_PAGE` of an empty database.
        last_page: number of the last page in use.
        transaction: number of the transaction that wrote it.
    """

    page_size: int
    root: int
    last_page: int
    transaction: int


def check_database(path: Path) -> None:
    """Checks that all pages that hold keys lie in the file, and all that they name within their bounds.

    Raises DamagedDatabaseError, whose message continues the name of the database, and OSError.
    """
    with open_input_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        head = os.pread(file.fileno(), META.size, 0)
        first = _parse_meta(head)
        second = _parse_meta(os.pread(file.fileno(), META.size, first.page_size))
        if second.page_size != first.page_size:
            raise DamagedDatabaseError("is damaged: its pages have two sizes")
        meta = second if second.transaction > first.transaction else first
        needed = (meta.last_page + 1) * meta.page_size
        if size < needed:
            raise DamagedDatabaseError(f"is cut short: it has {size:,} of {needed:,} bytes; fetch it anew")
        if meta.root != NO_PAGE:
            _Tree(file.fileno(), meta).check()


def _parse_meta(content: bytes) -> Meta:
    """Parses a page of metadata. Raises DamagedDatabaseError for what is none, or asks for odd things."""
    if len(content) < META.size:
        raise DamagedDatabaseError("is cut short: it has no metadata; fetch it anew")
    flags, magic, version, page_size, free_flags, main_flags, *rest = META.unpack(content)
    if flags & META_PAGE == 0 or magic != MAGIC:
        raise DamagedDatabaseError("is no database of LMDB, or is damaged: fetch it anew")
    if version != VERSION:
        raise DamagedDatabaseError(f"has version {version} of LMDB's format, not {VERSION}: write it anew")
    if page_size not in PAGE_SIZES or free_flags & ~SINGLE_FILE != INTEGER_KEYS or main_flags:
        raise DamagedDatabaseError("is damaged, or has keys of a kind that is not read: write it anew")
    return Meta(page_size, *rest)


@dataclass(frozen=True)
class _Tree:
    """Tree of the pages with keys, in an opened file."""

    file: int
    meta: Meta

    def check(self) -> None:
        """Checks all pages. Raises DamagedDatabaseError for the first that is damaged."""
        pages, seen = [self.meta.root], {0, 1}
        for _ in range(MOST_LEVELS):
            below: list[int] = []
            for number in pages:
                if number > self.meta.last_page or number in seen:
                    raise DamagedDatabaseError(f"is damaged: it has no page {number:,}; fetch it anew")
                seen.add(number)
                below += self._check_page(number)
            pages = below
        if pages:
            raise DamagedDatabaseError("is damaged: its tree has no end; fetch it anew")

    def _check_page(self, number: int) -> list[int]:
        """Checks a page; returns the numbers of those below it."""
        damaged = DamagedDatabaseError(f"is damaged: page {number:,} lies; fetch it anew")
        size = self.meta.page_size
        content = os.pread(self.file, size, number * size)
        if len(content) < size:
            raise damaged
        own_number, _, kind, lower, upper = HEADER.unpack_from(content)
        count = (lower - HEADER.size) // 2
        is_branch = kind == BRANCH
        if own_number != number or kind not in (BRANCH, LEAF) or not HEADER.size <= lower <= upper <= size:
            raise damaged
        if lower % 2 or count < 1 + is_branch:
            raise damaged
        below = []
        for place in struct.unpack_from(f"<{count}H", content, HEADER.size):
            if place < upper or place % 2 or place + NODE.size > size:
                raise damaged
            low, high, flags, key_bytes = NODE.unpack_from(content, place)
            end = place + NODE.size + key_bytes
            if is_branch:
                below.append(low | high << 16 | flags << 32)
            elif flags & LARGE_VALUE:
                end += 8
                if end > size:
                    raise damaged
                self._check_large(struct.unpack_from("<Q", content, end - 8)[0], low | high << 16)
            else:
                end += low | high << 16
            if end > size:
                raise damaged
        return below

    def _check_large(self, number: int, value_bytes: int) -> None:
        """Checks that the pages of a large value lie in the file; they are not read."""
        count = -(-(HEADER.size + value_bytes) // self.meta.page_size)
        if number < 2 or number + count > self.meta.last_page + 1:
            raise DamagedDatabaseError(f"is damaged: it has no page {number:,}; fetch it anew")
