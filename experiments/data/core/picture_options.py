"""The range of values of pictures as an option: numbers, percentiles of the data, or its extremes."""

import math
import re
from typing import Any

ValueRange = tuple[Any, ...]  # two numbers; two percentiles such as ("p1", "p99"); or none, ()
AUTO = "auto"
UNSTATED: ValueRange = ()
PERCENTILE = re.compile(r"p(100|[0-9]{1,2})(\.[0-9]{1,6})?")
FORM = "LOW,HIGH such as 0,4095, percentiles such as p1,p99, or auto"


def read_range(value: object) -> ValueRange | str:
    """Reads a range of values: `0,4095`, `-1.5,1.5`, `p1,p99`, "auto", or an empty one, which says nothing.

    Raises ValueError for any other.
    """
    if value == AUTO:
        return AUTO
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or len(parts) not in (0, 2):
        raise ValueError(f"'{value}' is not {FORM}")
    if parts and all(isinstance(part, str) and PERCENTILE.fullmatch(part) for part in parts):
        low, high = (percentile_of(part) for part in parts)
        if not low < high <= 100:
            raise ValueError(f"percentiles {parts[0]},{parts[1]} are no rising ones from p0 to p100")
        return tuple(parts)
    return tuple(_number(part, value) for part in parts)


def check_range(value: ValueRange) -> tuple[float, float]:
    """Checks that a range of two numbers is not empty, and returns it. Raises ValueError."""
    low, high = value
    if not low < high:
        raise ValueError(f"data.range {low},{high} is empty: write --set data.range=LOW,HIGH")
    return low, high


def read_numbers(value: object) -> tuple[float, float]:
    """Reads a range of two numbers, the first below the second. Raises ValueError for any other."""
    found = read_range(value)
    if not found or is_found_in_data(found):
        raise ValueError(f"'{value}' is no range of two numbers LOW,HIGH, and there is no data to find it in")
    return check_range(found)  # type: ignore[arg-type]


def is_found_in_data(value: object) -> bool:
    """Whether a range is to be found in the data: by percentiles or extremes."""
    if isinstance(value, tuple):
        return len(value) == 2 and isinstance(value[0], str)
    return value == AUTO


def percentile_of(word: str) -> float:
    """The number of a percentile: `p99.5` → 99.5."""
    return float(word[1:])


def _number(part: object, whole: object) -> float:
    """One end of a range, as a whole number where it is one, so that it reads as it was written."""
    try:
        if isinstance(part, bool):
            raise ValueError
        number = float(part)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"'{whole}' is not {FORM}") from None
    if not math.isfinite(number):
        raise ValueError(f"'{whole}' is not finite")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
