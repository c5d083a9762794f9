"""Lines of scores in a run folder: whatever stands in these files is checked here, once, as it is read.

They may be torn, edited, or a stranger's: what is no score is left out, and named in a remark.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from sys import float_info
from typing import Any, TypeGuard

from experiments.core.files import parse_json, read_regular_file

MOST_BYTES = 256 * 2**20  # of a file: lines by the hundred thousand
MOST_LINE_BYTES = 2**18
MOST_REMARKS = 20  # about one file; further ones are counted
LARGEST_STEP = 2**53  # what a float still counts one by one
LARGEST_PROGRESS = 1e12  # thousands of images, or seconds: more than any run, and exact to a part of an image
PROGRESS = ("kimg", "seconds")
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
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each whole line of a file of scores, as it stands and parsed; nothing without a file.

    Raises RunError for a link or a pipe in its place.
    """
    remarks = Remarks(file, remark)
    for _, line, entry in _numbered_lines(file, remarks):
        yield line, entry
    remarks.close()


def read_scores(file: Path, remark: RemarkCallback = ignore_remark) -> list[dict[str, Any]]:
    """Reads lines of numbers by name, with their step, and without values that are no numbers.

    A score may be a float that is not finite, which tells of a divergence; kimg and seconds may not.
    """
    remarks = Remarks(file, remark)
    found, good_names = [], set[str]()
    for number, _, entry in _numbered_lines(file, remarks):
        kept: dict[str, Any] = {}
        for name, value in entry.items():
            if name in good_names and isinstance(value, float):  # nearly all of them
                kept[name] = value
            elif fault := _fault(name, value):
                remarks.add(number, f"{name[:60]} ({fault})")
            else:
                kept[name] = float(value) if _is_beyond_arrays(value) else value
                good_names |= {name} - {*PROGRESS}
        found.append(kept)
    remarks.close()
    return found


def read_evaluations(
    file: Path, remark: RemarkCallback = ignore_remark
) -> list[tuple[int, dict[str, dict[str, Any]]]]:
    """Reads step and scores by name of every evaluation in a file, without what is no score."""
    remarks = Remarks(file, remark)
    found = []
    for number, _, entry in _numbered_lines(file, remarks):
        scores = entry.get("scores")
        if not isinstance(scores, dict):
            remarks.add(number, "an evaluation without scores")
            continue
        kept = {name: score for name, score in scores.items() if name.isprintable() and is_score(score)}
        for name in scores.keys() - kept.keys():
            remarks.add(number, f"{name[:60]} (not a score)")
        if kept:
            found.append((entry["step"], kept))
    remarks.close()
    return found


def is_score(score: object) -> bool:
    """Whether an entry of an evaluation has a number as its value."""
    return isinstance(score, dict) and is_number(score.get("value"))


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


def _numbered_lines(file: Path, remarks: Remarks) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Number, text and entry of each whole line; a last line that is still being written is no fault."""
    try:
        content = read_regular_file(file, MOST_BYTES)
    except FileNotFoundError:
        return
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        if len(line) > MOST_LINE_BYTES:
            remarks.add(number, f"what has more than {MOST_LINE_BYTES:,} bytes")
            continue
        try:
            text = line.decode()
            entry = parse_json(text)
        except ValueError:
            remarks.add(number, "what is not JSON")
            continue
        step = entry.get("step") if isinstance(entry, dict) else None
        if isinstance(step, int) and not isinstance(step, bool) and 0 <= step <= LARGEST_STEP:
            yield number, text + "\n", entry
        else:
            remarks.add(number, "what is not an object with a step")
