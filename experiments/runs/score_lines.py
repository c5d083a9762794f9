"""Lines of scores in a run folder: whatever stands in these files is checked here, once, as it is read.

They may be torn, edited, or a stranger's: what is no score is left out, and named in a remark.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import ceil
from pathlib import Path
from sys import float_info
from typing import Any, TypeGuard

from experiments.core.errors import RunError
from experiments.core.files import open_regular_file, parse_json

MOST_BYTES = 256 * 2**20  # of a file: lines by the hundred thousand
MOST_LINES = 1_000_000  # of a file: 25 million steps of training
MOST_LINE_BYTES = 2**21  # scores of 200 classes by all metrics are within it
MOST_VALUES = 3_000_000  # that are held of a file, at about 70 bytes: 150,000 lines of training
LINE_VALUES = 4  # values that take as much memory as a line without any
MOST_REMARKS = 20  # about one file; further ones are counted
LARGEST_STEP = 2**53  # what a float still counts one by one
LARGEST_PROGRESS = 1e12  # thousands of images, or seconds: more than any run, and exact to a part of an image
PROGRESS = ("kimg", "seconds")
EVALUATED = b'"metric/'  # in a line with scores of an evaluation
RemarkCallback = Callable[[str], object]


def ignore_remark(remark: str) -> None:
    """Does nothing with a remark."""


class Remarks:
    """Remarks about one file: the first few, then how many more there are."""

    def __init__(self, file: Path, remark: RemarkCallback) -> None:
        self.file, self.remark, self.count = file, remark, 0

    def add(self, number: int, what: str) -> None:
        """Adds what is left out of the line with this number, and why."""
        self.count += 1
        if self.count <= MOST_REMARKS:
            self.remark(f"{self.file}, line {number}: {what} is left out")

    def close(self) -> None:
        """Ends the remarks with the number of those that were not made."""
        if self.count > MOST_REMARKS:
            self.remark(f"{self.file}: {self.count - MOST_REMARKS} more values or lines are left out")


def read_score_lines(
    file: Path, remark: RemarkCallback = ignore_remark
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yields each whole line of a file of scores, as it stands and parsed; nothing without a file.

    Raises RunError for a link or a pipe in its place, and for more lines than a run can have.
    """
    remarks = Remarks(file, remark)
    count_lines(file)
    for _, line, entry in numbered_lines(file, remarks):
        yield line, entry
    remarks.close()


def read_scores(file: Path, remark: RemarkCallback = ignore_remark) -> list[dict[str, Any]]:
    """Reads lines of numbers by name, with their step, and without values that are no numbers.

    A score may be a float that is not finite, which tells of a divergence; kimg and seconds may not. Of more
    lines than memory should hold, every second (third, …) is read, with the first, the last, and all those
    of evaluations. Raises RunError where that does not suffice.
    """
    lines, values = count_lines(file)
    stride = max(1, ceil(values / MOST_VALUES))
    remarks = Remarks(file, remark)
    if stride > 1:
        remark(
            f"{file} has {lines:,} lines: one in {stride} is read, and those of evaluations; "
            "the others are left out"
        )

    def is_read(number: int, line: bytes) -> bool:
        return stride == 1 or number % stride == 0 or number in (1, lines) or EVALUATED in line

    found, held, names = [], 0, dict[str, str]()
    for number, line, entry in numbered_lines(file, remarks, is_read):
        held += line.count(b",") + LINE_VALUES
        if held > 2 * MOST_VALUES:
            raise RunError(f"{file} has more than {2 * MOST_VALUES:,} values, too many for what it is")
        found.append(_check_values(entry, number, remarks, names))
    remarks.close()
    return found


class GrowingScores:
    """Scores in a file that grows: each call of `read` reads what was appended since the last one."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._inode: int | None = None
        self._begin_anew()

    def read(self) -> list[dict[str, Any]]:
        """Reads the scores so far, as `read_scores` does of a file of any length: the same list each time."""
        with suppress(FileNotFoundError):
            found = self.file.stat(follow_symlinks=False)
            if found.st_ino != self._inode or found.st_size < self._offset:  # another file by now
                self._begin_anew()
            self._inode = found.st_ino
        remarks = Remarks(self.file, ignore_remark)
        for line, length in _whole_lines(self.file, self._offset):
            self._offset += length
            entry = _parse(line, 0, remarks)
            if entry is not None:
                self._lines.append(_check_values(entry, 0, remarks, self._names))
        return self._lines

    def _begin_anew(self) -> None:
        self._lines: list[dict[str, Any]] = []
        self._names: dict[str, str] = {}
        self._offset = 0


def _check_values(
    entry: dict[str, Any], number: int, remarks: Remarks, names: dict[str, str]
) -> dict[str, Any]:
    """The values of a line that are scores.

    Args:
        names: of scores that lines before had, each to the one string that all lines share.
    """
    kept: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, float) and name in names:  # nearly all of them
            kept[names[name]] = value
        elif fault := _fault(name, value):
            remarks.add(number, f"{name[:60]} ({fault})")
        else:
            kept[name] = float(value) if _is_beyond_arrays(value) else value
            if name not in PROGRESS:
                names[name] = name
    return kept


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number that a float can hold; true and false are none."""
    if isinstance(value, float):  # nearly all of them, and there may be millions
        return True
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= float_info.max


def _is_beyond_arrays(value: object) -> bool:
    """Whether a number is a whole one that fits no array of integers."""
    return isinstance(value, int) and abs(value) > LARGEST_STEP


def _fault(name: str, value: object) -> str:
    """Fault of a value in a line of scores, in words; empty where it has none."""
    if not name.isprintable():
        return "its name cannot be printed"
    if name == "kimg" and value is None:  # of a generator whose length of training is unknown
        return ""
    if not is_number(value):
        return "not a number"
    if name in PROGRESS and not 0 <= value <= LARGEST_PROGRESS:
        return "out of range"
    return ""


def count_lines(file: Path, most_bytes: int = MOST_BYTES) -> tuple[int, int]:
    """Counts whole lines, and the values that they hold at most, of a file of scores; none without a file.

    A line counts as `LINE_VALUES` more. Raises RunError for a link or a pipe in its place, and for more
    bytes or lines than such a file can have.
    """
    lines = values = 0
    try:
        with open_regular_file(file) as stream:
            if os.fstat(stream.fileno()).st_size > most_bytes:
                raise RunError(f"{file} has more than {most_bytes:,} bytes, too many for what it is")
            while part := stream.read(2**20):
                lines += part.count(b"\n")
                values += part.count(b",")
    except FileNotFoundError:
        return 0, 0
    if lines > MOST_LINES:
        raise RunError(f"{file} has more than {MOST_LINES:,} lines, too many for what it is")
    return lines, values + LINE_VALUES * lines


def numbered_lines(
    file: Path, remarks: Remarks, is_read: Callable[[int, bytes], bool] | None = None
) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """Number, text and entry of each whole line; a last line that is still being written is no fault.

    Args:
        is_read: whether a line is looked at, by its number and text; None for all.
    """
    for number, (line, _) in enumerate(_whole_lines(file), start=1):
        if is_read is None or is_read(number, line):
            entry = _parse(line, number, remarks)
            if entry is not None:
                yield number, line, entry


def _parse(line: bytes, number: int, remarks: Remarks) -> dict[str, Any] | None:
    """The entry of a line; None, with a remark, for a line that is none."""
    if len(line) > MOST_LINE_BYTES:
        remarks.add(number, f"what has more than {MOST_LINE_BYTES:,} bytes")
        return None
    try:
        entry = parse_json(line.decode())
    except ValueError:
        remarks.add(number, "what is not JSON")
        return None
    step = entry.get("step") if isinstance(entry, dict) else None
    if isinstance(step, int) and not isinstance(step, bool) and 0 <= step <= LARGEST_STEP:
        assert isinstance(entry, dict)
        return entry
    remarks.add(number, "what is not an object with a step")
    return None


def _whole_lines(file: Path, begin: int = 0) -> Iterator[tuple[bytes, int]]:
    """Whole lines from a byte on, with their lengths; of one that is too long, only the beginning."""
    try:
        stream = open_regular_file(file)
    except FileNotFoundError:
        return
    with io.BufferedReader(stream, 2**20) as buffered:
        buffered.seek(begin)
        while line := buffered.readline(MOST_LINE_BYTES + 1):
            length, end = len(line), line[-1:]
            while end != b"\n":  # too long, or still being written
                more = buffered.readline(2**20)
                if not more:
                    return
                length, end = length + len(more), more[-1:]
            yield line, length
