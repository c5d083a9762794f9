"""Markdown of generated pages: tables, code, and docstrings as people read them."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """Row of a table in a page, with the heading and the paragraph above it.

    Attributes:
        heading: heading of the section.
        text: last paragraph before the table.
        header: its first line.
        line: the row.
    """

    heading: str
    text: str
    header: str
    line: str

    @property
    def first(self) -> str:
        """First cell."""
        return self.line.strip().strip("|").split("|")[0].strip()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Writes a table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(escape(cell) for cell in line) + " |" for line in lines)


def escape(cell: str) -> str:
    """Escapes a cell of a table: bars and line breaks."""
    return " ".join(cell.replace("|", "\\|").split())


def code(text: str, language: str = "sh") -> str:
    """Writes a block of code."""
    return f"```{language}\n{text.strip()}\n```"


def link_papers(page: str) -> str:
    """Links arXiv numbers to their papers, outside of links and code."""
    return re.sub(r"(?<![`/\[\w])arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", page)


def from_docstring(text: str) -> str:
    """Turns a docstring into Markdown: examples become blocks of code, `Args:` and its kin lists."""
    blocks = [each for each in re.split(r"\n\s*\n", text.strip()) if each]
    return "\n\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    """Turns one paragraph of a docstring into Markdown."""
    if block.lstrip().startswith(">>>"):
        return code(block, "pycon")
    head, *rest = block.splitlines()
    if re.fullmatch(r"(Args|Attributes|Raises|Returns):", head.strip()):
        return "\n".join([f"**{head.strip()}**", "", *_entries(rest)])
    return block.replace("][", "]\\[")  # no link of Markdown's


def _entries(lines: Iterable[str]) -> list[str]:
    """Turns `name: text` entries, which may go on in deeper lines, into a list."""
    found: list[str] = []
    for line in (each for each in lines if each.strip()):
        name, colon, text = line.strip().partition(": ")
        if colon and not line.startswith(" " * 8):
            found.append(f"* `{name}`: {text}")
        else:
            found[-1] += " " + line.strip()
    return found


def rows_of(page: str) -> list[Row]:
    """Reads all rows of the tables in a page."""
    found: list[Row] = []
    heading, text, header, before = "", "", "", ""
    for line in page.splitlines():
        if line.startswith("#"):
            heading, text = line.lstrip("# "), ""
        elif line.startswith("|") and not header:
            header = line
        elif line.startswith("|"):
            found += [Row(heading, text, header, line)] * (not re.fullmatch(r"[|\s:-]+", line))
        elif line.strip():
            text = f"{text} {line}" if before.strip() and not before.startswith("#") else line
        header = header if line.startswith("|") else ""
        before = line
    return found
