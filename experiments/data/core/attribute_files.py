"""Lists of attributes beside the images: `attributes.csv`, or CelebA's `list_attr_celeba.txt`.

A CSV file has the name of an image in its first column and an attribute in each other one, with the names of
these in the first row. Columns of 0, 1 and −1 are binary, all others hold words.
"""

import csv
import io
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from experiments.data.core.decoding import Store, read_content
from gans.core.attributes import NO_YES, AttributeGroup, Attributes, attributes_from_numbers

CSV, CELEBA = "attributes.csv", "list_attr_celeba.txt"
BINARY_WORDS = {"1": 1, "0": 0, "-1": 0}
MOST_VALUES = 100  # of a column: more are numbers or texts, not attributes


class AttributeList(NamedTuple):
    """A list of attributes: their groups, and for every name the indices of its values, a byte each."""

    file: str
    groups: tuple[AttributeGroup, ...]
    rows: dict[str, bytes]

    def of(self, names: Sequence[str]) -> Attributes:
        """Attributes of the images `names`, in their order. Raises ValueError for an image without a row."""
        lacking = [name for name in names if name not in self.rows]
        if lacking:
            raise ValueError(
                f"{self.file} has no row for {_first_of(lacking)}: add it, or take the image out"
            )
        numbers = np.frombuffer(b"".join(self.rows[name] for name in names), np.uint8)
        return attributes_from_numbers(
            self.groups, torch.from_numpy(numbers.astype(np.int64)).view(len(names), -1)
        )


def list_of_attributes(files: Container[str], folders: Sequence[str]) -> tuple[str, str] | None:
    """Finds the list of attributes in the first of `folders` that has one: the folder, and its file."""
    for folder in folders:
        for name in (CSV, CELEBA):
            if folder + name in files:
                return folder, name
    return None


def read_attributes(
    store: Store, files: Container[str], folders: Sequence[str], names: Sequence[str], present: Sequence[str]
) -> Attributes | None:
    """Reads the list of attributes in one of `folders`, for the images `names`; None where there is no list.

    A CSV file has their paths below its folder, CelebA's list the names of the files alone. Raises ValueError
    for a list that is damaged, for an image without a row and for a row without its image among `present`.
    """
    found = list_of_attributes(files, folders)
    if found is None:
        return None
    folder, name = found
    file, content = store.name_of(folder + name), read_content(store, folder + name)

    def listed_as(path: str) -> str:
        return path.removeprefix(folder) if name == CSV else path.rpartition("/")[2]

    listed = parse_csv(file, content) if name == CSV else parse_celeba(file, content)
    there = {listed_as(path) for path in present}
    lacking = [row for row in listed.rows if row not in there]
    if lacking:
        raise ValueError(f"{file} has a row for {_first_of(lacking)}, which is not there: take it out")
    return listed.of([listed_as(path) for path in names])


def parse_csv(file: str, content: bytes) -> AttributeList:
    """Parses a CSV list of attributes. Raises ValueError, naming the file and the row, for what is none."""
    try:
        stream = io.StringIO(content.decode("utf-8-sig"), newline="")
        table = [[cell.strip() for cell in row] for row in csv.reader(stream) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} cannot be read: {error}; save it as CSV in UTF-8") from error
    head, rows = (table[0][1:], table[1:]) if table else ([], [])
    if not head or not rows:
        raise ValueError(
            f"{file} has no attributes: a row of their names comes first, and one for each image"
        )
    if "" in head or len(set(head)) < len(head):
        raise ValueError(f"{file}: every column needs a name of its own in the first row")
    for row in rows:
        if len(row) != len(head) + 1 or "" in row:
            raise ValueError(
                f"{file}: the row of {row[0] or '?'} must have {len(head) + 1} cells, none empty"
            )
    names, *words = zip(*rows, strict=True)
    columns = [_column(file, name, column) for name, column in zip(head, words, strict=True)]
    numbers = [bytes(row) for row in zip(*(numbers for _, numbers in columns), strict=True)]
    return _collect_rows(file, tuple(group for group, _ in columns), names, numbers)


def read_celeba(file: Path) -> AttributeList:
    """Reads CelebA's list of attributes. Raises ValueError, naming the file and the row, for what is none."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return parse_celeba(str(file), content)


def parse_celeba(file: str, content: bytes) -> AttributeList:
    """Parses CelebA's list of attributes. Raises ValueError, naming file and row, for what is none."""
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    names = lines[1].split() if len(lines) > 1 else []
    if not names or len(set(names)) < len(names) or lines[0].strip() != str(len(lines) - 2):
        raise ValueError(
            f"{file} is damaged: a line with the number of its rows comes first, then one with the names of "
            "the attributes, then the rows"
        )
    files, rows = [], []
    for line in lines[2:]:
        name, *words = line.split() or [""]
        if len(words) != len(names) or not set(words) <= {"1", "-1"}:
            raise ValueError(f"{file}: the row of {name or '?'} must have {len(names)} times 1 or -1")
        files.append(name)
        rows.append(bytes(word == "1" for word in words))
    return _collect_rows(file, tuple(AttributeGroup(name, NO_YES) for name in names), files, rows)


def _column(file: str, name: str, words: Sequence[str]) -> tuple[AttributeGroup, list[int]]:
    """Parses a column: its attribute, and the index of the value in each row."""
    if set(words) <= BINARY_WORDS.keys():
        return AttributeGroup(name, NO_YES), [BINARY_WORDS[word] for word in words]
    values = sorted(set(words), key=str.encode)
    if len(values) > MOST_VALUES:
        raise ValueError(
            f"{file}: {name} has {len(values)} different values, more than {MOST_VALUES}: leave it out"
        )
    number = {value: index for index, value in enumerate(values)}
    return AttributeGroup(name, tuple(values)), [number[word] for word in words]


def _collect_rows(
    file: str, groups: tuple[AttributeGroup, ...], names: Sequence[str], rows: Sequence[bytes]
) -> AttributeList:
    """Collects the rows of a list by name. Raises ValueError for two rows of one name."""
    found: dict[str, bytes] = {}
    for name, row in zip(names, rows, strict=True):
        if name in found:
            raise ValueError(f"{file} has two rows for {name}: take one out")
        found[name] = row
    return AttributeList(file, groups, found)


def _first_of(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")
