"""Layout of a comparison in a terminal: a table where its rows have room, else groups by number, or lists."""

import textwrap
from collections.abc import Iterable, Sequence

from experiments.core.console import wrap_line
from experiments.core.value_format import cut_apart

LONGEST_VALUE = 24  # characters of a setting in a table
WITHIN = "\u00a0"  # a blank at which no line is broken


def aligned(rows: Sequence[Sequence[str]], wraps_heads: bool = False) -> list[str]:
    """Lines of a table with aligned columns.

    Args:
        rows: cells of each row; the first row are headings.
        wraps_heads: breaks headings that are wider than their columns at blanks.
    """
    heads, *body = rows
    widths = [
        max(len(cell) for cell in (*column, *(head.split() if wraps_heads else [head])))
        for head, column in zip(heads, zip(*body, strict=True), strict=True)
    ]
    broken = [textwrap.wrap(head, width) for head, width in zip(heads, widths, strict=True)]
    tallest = max(map(len, broken))
    head_rows = zip(*([""] * (tallest - len(lines)) + lines for lines in broken), strict=True)
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (*head_rows, *body)
    ]


def ranking_lines(
    heads: Sequence[str], rows: Sequence[Sequence[str]], settings_count: int, width: int | None
) -> list[str]:
    """Lines of the ranking, of `width` characters at most where they can be so short.

    Rows that are too long as one table have their settings below it, by the number of the group; and where
    that is too wide, too, are lists.

    Args:
        heads: names of the columns.
        rows: cells of each group, from the best to the worst.
        settings_count: number of the first columns that are settings of the groups.
        width: None for no limit.
    """
    columns = list(zip(*rows, strict=True))
    cut = [cut_apart(column, LONGEST_VALUE) for column in columns[:settings_count]]
    table = [heads, *zip(*cut, *columns[settings_count:], strict=True)]
    numbers = [["group", *heads[settings_count:]]]
    numbers += [[str(number), *row[settings_count:]] for number, row in enumerate(rows, 1)]
    settings = _settings_of_groups(heads[:settings_count], rows, width)
    for lines in (aligned(table), aligned(table, True), [*aligned(numbers, True), "", *settings]):
        if width is None or max(map(len, lines)) <= width:
            return lines
    unnamed = ["", *numbers[0][2:]]  # the verdict explains itself
    lists = [list_lines(f"group {row[0]}", unnamed, row[1:], width) for row in numbers[1:]]
    return [*(line for lines in lists for line in lines), "", *settings]


def _settings_of_groups(names: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Settings of each group, in a list that is broken between them; those that all have come last, once."""
    columns = list(zip(*rows, strict=True))
    is_shared = [len(rows) > 1 and len(set(columns[index])) == 1 for index in range(len(names))]
    own = [index for index, shared in enumerate(is_shared) if not shared]
    lines = []
    for number, row in enumerate(rows, 1):
        lines += list_lines(f"group {number}", [names[i] for i in own], [row[i] for i in own], width)
    common = [index for index, shared in enumerate(is_shared) if shared]
    if common:
        lines += list_lines("all groups", [names[i] for i in common], [rows[0][i] for i in common], width)
    return lines


def list_lines(label: str, names: Iterable[str], values: Iterable[str], width: int | None) -> list[str]:
    """A list `label: name value, name value`, broken between its parts; without the label if it is empty."""
    parts = (
        f"{name} {value}".strip().replace(" ", WITHIN) for name, value in zip(names, values, strict=True)
    )
    line = f"{label.replace(' ', WITHIN)}: " * bool(label) + ", ".join(parts)
    return [each.replace(WITHIN, " ") for each in wrap_line(line, width, indent=2)]


def value_lines(rows: Sequence[tuple[str, str]], width: int | None) -> list[str]:
    """Lines of names with values beside them, which are broken at blanks."""
    first = max(len(name) for name, _ in rows) + 2
    return [line for name, text in rows for line in wrap_line(f"{name:<{first}}{text}", width, first)]
