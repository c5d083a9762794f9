"""Reads the commands of the documentation: fenced blocks of the shell, and commands within sentences.

A block is run by the tests unless a comment stands before it, `<!-- long -->` or `<!-- not run: REASON -->`;
then its commands are only typed.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
SHELL = ("sh", "bash", "shell", "console")
MARK = re.compile(r"<!-- (?:long|not run)(?:: [^>]+)? -->")
FENCE = re.compile(r" *(?:```|~~~)(.*)")


class Command(NamedTuple):
    """A line of a block of the shell.

    Attributes:
        words: as a shell would split them, without comments.
        place: the page and the line.
        is_run: whether no mark stands before the block.
    """

    words: tuple[str, ...]
    place: str
    is_run: bool


class Block(NamedTuple):
    """A fenced block: its language, the number of its first line, its lines; and whether it is marked."""

    language: str
    line: int
    lines: tuple[str, ...]
    is_marked: bool


def read_blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    begun: list[str] | None = None
    language, line, before = "", 0, ""
    for number, words in enumerate(text.splitlines(), 1):
        fence = FENCE.fullmatch(words)
        if fence and begun is None:
            begun, language, line = [], fence[1].split("{")[0].split(" ")[0].strip(), number + 1
        elif fence and begun is not None:
            yield Block(language, line, tuple(begun), MARK.fullmatch(before) is not None)
            begun, before = None, ""
        elif begun is not None:
            begun.append(words)
        elif words.strip():
            before = words.strip()


def read_commands(text: str, page: str) -> Iterator[Command]:
    """The commands of a page's shell blocks, in order; lines that end in a backslash go on."""
    for block in read_blocks(text):
        if block.language not in SHELL:
            continue
        joined, start = "", 0
        for number, words in enumerate(block.lines, block.line):
            if block.language == "console":
                if not joined and not words.startswith("$ "):
                    continue  # what a command prints
                words = words.removeprefix("$ ")
            start = start if joined else number
            joined += words.removesuffix("\\")
            if words.endswith("\\"):
                continue
            if parts := shlex.split(joined, comments=True):
                yield Command(tuple(parts), f"{page}:{start}", not block.is_marked)
            joined = ""


def read_spans(text: str) -> Iterator[str]:
    """Commands `gans …` in code within sentences."""
    outside = re.sub(r"^ *(```|~~~).*?^ *\1", "", text, flags=re.S | re.M)
    for span in re.findall(r"`([^`]+)`", outside):
        if span.startswith("gans "):
            yield " ".join(span.split())
