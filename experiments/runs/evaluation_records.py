"""Records of evaluation scores: whatever a file or server says of a score is checked here, once.

A record says how a score was made (docs/evaluation.md). One of which a part cannot be is left out whole:
nobody knows what such a score would mean.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from experiments.core.errors import RunError
from experiments.runs.score_lines import (
    LARGEST_STEP,
    RemarkCallback,
    Remarks,
    count_lines,
    ignore_remark,
    is_number,
    numbered_lines,
)

MOST_BYTES = 64 * 2**20  # of a file of evaluations
MOST_VALUES = 1_500_000  # in it, at about 150 bytes: 15,000 evaluations by five metrics
MOST_SAMPLES = 10**9  # of one evaluation
LONGEST_NAME = 200
LONGEST_WORD = 4096  # paths may be options

# What stands beside a score, and is none.
BY_CLASS = "by_class"  # scores within classes
SPREADS = ("standard_error", "deviation")
NESTED = ("options", "extractor_options", "ranges", "intervals", BY_CLASS)  # as an object
WORDS = (
    *("extractor", "distance", "weights", "resize_rule", "quantization", "reference"),
    *("split", "protocol", "torch", "pillow"),
)
Scores = dict[str, dict[str, Any]]


def read_evaluations(file: Path, remark: RemarkCallback = ignore_remark) -> list[tuple[int, Scores]]:
    """Reads step and scores by name of every evaluation in a file; remarks name what is no score.

    Raises RunError for a link or a pipe in its place, and for more than such a file can hold.
    """
    remarks = Remarks(file, remark)
    if count_lines(file, MOST_BYTES)[1] > MOST_VALUES:
        raise RunError(f"{file} has more than {MOST_VALUES:,} values, too many for what it is")
    found = []
    for number, _, entry in numbered_lines(file, remarks):
        scores = entry.get("scores")
        if not isinstance(scores, dict):
            remarks.add(number, "an evaluation without scores")
            continue
        if kept := check_scores(scores, partial(remarks.add, number)):
            found.append((entry["step"], kept))
    remarks.close()
    return found


def check_scores(scores: Mapping[str, Any], add: Callable[[str], object] = ignore_remark) -> Scores:
    """The scores whose name and record can be; the others are said to `add`, each with its fault."""
    kept: Scores = {}
    for name, record in scores.items():
        if fault := record_fault(record) if _is_name(name) else "not a name":
            add(f"{name[:60]} ({fault})")
        else:
            kept[name] = {**record, "value": float(record["value"])}
    return kept


def record_fault(record: object) -> str:
    """Fault of a score with its record, in words; empty where it has none."""
    if not isinstance(record, dict) or not is_number(record.get("value")):
        return "not a score"
    if not all(map(_is_name, record)):
        return "not names"
    for name, is_right in PARTS.items():
        if record.get(name) is not None and not is_right(record[name]):
            return f"its {name} cannot be"
    return ""


def _is_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= LONGEST_NAME


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_WORD


def _are_counts(value: object, fewest: int = 1) -> bool:
    """Whether these are the numbers of samples on both sides."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(count) is int and fewest <= count <= MOST_SAMPLES for count in value)
    )


def _is_spread(value: object) -> bool:
    return is_number(value) and (value >= 0 or value != value)


def _are_options(value: object) -> bool:
    """Whether these are options by name, as JSON has them: numbers, words, or lists of these."""
    return isinstance(value, dict) and all(
        name.isidentifier() and all(map(_is_option, each if isinstance(each, list) else [each]))
        for name, each in value.items()
    )


def _is_option(value: object) -> bool:
    if value is None or isinstance(value, bool) or value == "":
        return True
    if isinstance(value, str):
        return _is_word(value)
    return is_number(value) and isfinite(value) and abs(value) <= 1e300


def _are_ranges(value: object) -> bool:
    """Whether these are pairs of bounds by name of the score."""
    return isinstance(value, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in value.values()
    )


def _are_classes(value: object) -> bool:
    """Whether these are numbers of samples and scores within classes, by the names of the classes."""
    return isinstance(value, dict) and all(_is_name(name) and _is_class(each) for name, each in value.items())


def _is_class(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and _are_counts(entry.get("n"), fewest=0)
        and all(name == "n" or (_is_name(name) and is_number(score)) for name, score in entry.items())
    )


def _is_seed(value: object) -> bool:
    return type(value) is int and abs(value) <= LARGEST_STEP


def _is_number_of_sets(value: object) -> bool:
    return type(value) is int and 2 <= value <= LARGEST_STEP


PARTS: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(WORDS, _is_word),
    **dict.fromkeys(SPREADS, _is_spread),
    **dict.fromkeys(("options", "extractor_options"), _are_options),
    "ranges": _are_ranges,
    "intervals": _are_ranges,
    BY_CLASS: _are_classes,
    "n": _are_counts,
    "resamples": _is_number_of_sets,
    "seed": _is_seed,
}
