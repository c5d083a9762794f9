"""Lists of attributes beside the images: `attributes.csv`, or CelebA's `list_attr_celeba.txt`.

A CSV file has the name of an image in its first column and an attribute in each other one, with the names of
these in the first row. Columns of 0, 1 and −1 are binary, all others hold words.
"""

import csv
import io
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from experiments.data.core.decoding import MOST_TEXT_BYTES, Store, read_content
from experiments.data.core.path_names import listed_path
from gans.core.attributes import NO_YES, AttributeGroup, Attributes, attributes_from_numbers
from metrics.core.input_files import read_input_file

CSV, CELEBA = "attributes.csv", "list_attr_celeba.txt"
BINARY_WORDS = {"1": 1, "0": 0, "-1": 0}
MOST_LINE = 2**20
MOST_ROWS, SPARE_ROWS = 10_000_000, 1000
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

    A CSV file has their paths below its folder, with either slash, CelebA's list names of files alone.

    Raises ValueError for a list that is damaged, for an image without a row and for a row without its image
    among `present`.
    """
    found = list_of_attributes(files, folders)
    if found is None:
        return None
    folder, name = found
    file, content = store.name_of(folder + name), read_content(store, folder + name)

    def listed_as(path: str) -> str:
        return path.removeprefix(folder) if name == CSV else path.rpartition("/")[2]

    there = {listed_as(path) for path in present}
    listed = (parse_csv if name == CSV else parse_celeba)(file, content, len(there) + SPARE_ROWS)
    if name == CSV:
        paths = [listed_path(row, there) for row in listed.rows]
        listed = listed._replace(rows=_rows_by_name(file, paths, list(listed.rows.values())))
    lacking = [row for row in listed.rows if row not in there]
    if lacking:
        raise ValueError(f"{file} has a row for {_first_of(lacking)}, which is not there: take it out")
    return listed.of([listed_as(path) for path in names])


def parse_csv(file: str, content: bytes, most_rows: int = MOST_ROWS) -> AttributeList:
    """Parses a CSV list of attributes. Raises ValueError, naming the file and the row, for what is none.

    It is read row by row, of which no more than `most_rows` are kept, a byte for each value: text of a few
    bytes would take a hundred times its size.
    """
    head: list[str] = []
    names: list[str] = []
    rows: list[bytes] = []
    numbers: list[dict[str, int]] = []  # of the values of each column, in the order of their first rows
    try:
        for cells in csv.reader(_lines(file, content)):
            if not any(cells):
                continue
            name, *words = (cell.strip() for cell in cells)
            if not head:
                head, numbers = words, [{} for _ in words]
                if "" in head or len(set(head)) < len(head):
                    raise ValueError(f"{file}: every column needs a name of its own in the first row")
                continue
            if len(words) != len(head) or "" in (name, *words):
                raise ValueError(
                    f"{file}: the row of {name or '?'} must have {len(head) + 1} cells, none empty"
                )
            row = [known.setdefault(word, len(known)) for known, word in zip(numbers, words, strict=True)]
            if row and max(row) >= MOST_VALUES:
                column = head[row.index(max(row))]
                raise ValueError(
                    f"{file}: {column} has more than {MOST_VALUES} different values: leave it out"
                )
            names.append(name)
            rows.append(bytes(row))
            _check_rows(file, names, most_rows)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file} cannot be read: {error}; save it as CSV in UTF-8") from error
    if not head or not rows:
        raise ValueError(
            f"{file} has no attributes: a row of their names comes first, and one for each image"
        )
    columns = [_column(name, known) for name, known in zip(head, numbers, strict=True)]
    final = [bytes(index[value] for (_, index), value in zip(columns, row, strict=True)) for row in rows]
    return _collect_rows(file, tuple(group for group, _ in columns), names, final)


def format_csv(names: Sequence[str], attributes: Attributes) -> str:
    """Formats attributes of the images `names` as a CSV list, which `parse_csv` reads."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", *(group.name for group in attributes.groups)])
    columns = []
    for group in attributes.groups:
        table = attributes.table[:, attributes.columns_of(group.name)]
        numbers = table[:, 0].int() if group.is_binary else table.argmax(dim=1)
        columns.append([group.values[number] for number in numbers.tolist()])
    rows.writerows(zip(names, *columns, strict=True))
    return text.getvalue()


def _lines(file: str, content: bytes) -> Iterator[str]:
    """Lines of a text in UTF-8. Raises ValueError for one of more than `MOST_LINE` characters."""
    for line in io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""):
        if len(line) > MOST_LINE:
            raise ValueError(f"{file} has a line of more than {MOST_LINE:,} characters")
        yield line


def _check_rows(file: str, names: Sequence[str], most_rows: int) -> None:
    if len(names) > most_rows:
        raise ValueError(f"{file} has many more rows than there are images: take them out")


def read_celeba(file: Path) -> AttributeList:
    """Reads CelebA's list of attributes. Raises ValueError, naming the file and the row, for what is none."""
    try:
        content = read_input_file(file, MOST_TEXT_BYTES)
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return parse_celeba(str(file), content)


def parse_celeba(file: str, content: bytes, most_rows: int = MOST_ROWS) -> AttributeList:
    """Parses CelebA's list of attributes. Raises ValueError, naming file and row, for what is none."""
    files: list[str] = []
    rows: list[bytes] = []
    try:
        lines = _lines(file, content)
        count, names = next(lines, "").strip(), next(lines, "").split()
        for line in lines:
            name, *words = line.split() or [""]
            if names and (len(words) != len(names) or not set(words) <= {"1", "-1"}):
                raise ValueError(f"{file}: the row of {name or '?'} must have {len(names)} times 1 or -1")
            files.append(name)
            rows.append(bytes(word == "1" for word in words))
            _check_rows(file, files, most_rows)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    if not names or len(set(names)) < len(names) or count != str(len(rows)):
        raise ValueError(
            f"{file} is damaged: a line with the number of its rows comes first, then one with the names of "
            "the attributes, then the rows"
        )
    return _collect_rows(file, tuple(AttributeGroup(name, NO_YES) for name in names), files, rows)


def _column(name: str, known: Mapping[str, int]) -> tuple[AttributeGroup, Sequence[int]]:
    """The attribute of a column, and the index of each of its values, numbered as they first occur."""
    if known.keys() <= BINARY_WORDS.keys():
        return AttributeGroup(name, NO_YES), [BINARY_WORDS[word] for word in known]
    values = sorted(known, key=str.encode)
    number = {value: index for index, value in enumerate(values)}
    return AttributeGroup(name, tuple(values)), [number[word] for word in known]


def _collect_rows(
    file: str, groups: tuple[AttributeGroup, ...], names: Sequence[str], rows: Sequence[bytes]
) -> AttributeList:
    """Makes a list of its rows. Raises ValueError for two rows of one name."""
    return AttributeList(file, groups, _rows_by_name(file, names, rows))


def _rows_by_name(file: str, names: Sequence[str], rows: Sequence[bytes]) -> dict[str, bytes]:
    """Collects the rows of a list by name. Raises ValueError for two rows of one name."""
    found: dict[str, bytes] = {}
    for name, row in zip(names, rows, strict=True):
        if name in found:
            raise ValueError(f"{file} has two rows for {name}: take one out")
        found[name] = row
    return found


def _first_of(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")
