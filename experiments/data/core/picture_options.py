"""Options of pictures in files: the range of their values, and the type in which they are held.

A range is numbers, percentiles of the data, or its extremes; it holds for all channels, or there is one for
each.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from experiments.core.units import DEPTHS
from losses.core.options import option

# Two numbers, or two for each channel; two percentiles such as ("p1", "p99"), or "auto", of all channels,
# or with "each" behind them of each; or nothing.
ValueRange = tuple[Any, ...]
LEAST_WIDTH, MOST_WIDTH = 2.0**-126, (2 - 2.0**-23) * 2.0**127  # of float32: its smallest normal and largest
AUTO, EACH = "auto", "each"
UNSTATED: ValueRange = ()
PERCENTILE = re.compile(r"p(100|[0-9]{1,2})(\.[0-9]{1,6})?")
FORM = (
    "LOW,HIGH such as 0,4095, these for each channel such as 0,1,-40,40, percentiles such as p1,p99, auto, "
    "or one of the last two by channel, such as p1,p99,each"
)
# Remark on pictures that a range says nothing of.
IDLE_RANGE = "has 8 bits, as --set data.depth=uint8 asks, so data.range changes nothing"


def read_range(value: object) -> ValueRange | str:
    """Reads a range of values: `0,4095`, `0,1,-40,40`, `p1,p99`, `auto`, `auto,each`, or an empty one.

    Raises ValueError for any other.
    """
    if value == AUTO:
        return AUTO
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError(f"'{value}' is not {FORM}")
    whole = [part for part in parts if part != EACH]
    is_each = list(parts) == [*whole, EACH]
    if is_each and whole == [AUTO]:
        return AUTO, EACH
    if len(whole) % 2 or not (is_each or len(whole) == len(parts)):
        raise ValueError(f"'{value}' is not {FORM}")
    if len(whole) == 2 and all(isinstance(part, str) and PERCENTILE.fullmatch(part) for part in whole):
        low, high = (percentile_of(part) for part in whole)
        if not low < high <= 100:
            raise ValueError(f"percentiles {whole[0]},{whole[1]} are no rising ones from p0 to p100")
        return tuple(parts)
    if is_each:
        raise ValueError(f"'{value}' is not {FORM}")
    return tuple(_number(part, value) for part in parts)


def check_range(value: ValueRange) -> tuple[float, ...]:
    """Checks that a range of numbers, or each of several, can be scaled to [−1, 1]; returns it.

    Raises ValueError for one that is empty, and for one whose width, or the inverse of half of it, is beyond
    float32, in which values are scaled.
    """
    for low, high in zip(value[::2], value[1::2], strict=True):
        if not low < high:
            raise ValueError(f"data.range {low},{high} is empty: write --set data.range=LOW,HIGH")
        if high - low < LEAST_WIDTH:
            raise ValueError(
                f"data.range {low:g},{high:g} is narrower than {LEAST_WIDTH:.2g}, the least that float32 "
                "scales: multiply the values and save them anew, or give a wider --set data.range=LOW,HIGH"
            )
        if high - low > MOST_WIDTH:
            raise ValueError(
                f"data.range {low:g},{high:g} is wider than {MOST_WIDTH:.2g}, the most that float32 holds: "
                "give a narrower --set data.range=LOW,HIGH, such as one without values that stand for none"
            )
    return value


def read_numbers(value: object) -> tuple[float, float]:
    """Reads a range of two numbers, the first below the second. Raises ValueError for any other."""
    found = read_range(value)
    if len(found) != 2 or is_found_in_data(found):
        raise ValueError(f"'{value}' is no range of two numbers LOW,HIGH, and there is no data to find it in")
    return check_range(found)  # type: ignore[arg-type, return-value]


def is_found_in_data(value: object) -> bool:
    """Whether a range is to be found in the data: by percentiles or extremes."""
    if isinstance(value, tuple):
        return len(value) > 0 and isinstance(value[0], str)
    return value == AUTO


def is_open_range(value: ValueRange | str) -> bool:
    """Whether a range of arrays is left to the data: by words, or by nothing, which means the extremes."""
    return not value or is_found_in_data(value)


def is_by_channel(value: ValueRange | str) -> bool:
    """Whether a range is one for each channel."""
    return isinstance(value, tuple) and len(value) > 0 and (len(value) > 2 or value[-1] == EACH)


def range_words(value: ValueRange | str) -> str:
    """The words of a range, as they are written."""
    return value if isinstance(value, str) else ",".join(map(str, value))


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
    return plain_number(number)


def plain_number(value: Any) -> float:
    """A number as Python has it, whole where it is one and float64 has its neighbours.

    Beyond 2⁵³ float64 has no odd numbers, and from 2⁶³ on no integer of PyTorch holds it.
    """
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


@dataclass(frozen=True)
class ImageFileOptions:
    """Options of sources of image files."""

    range: tuple[Any, ...] | str = option(
        UNSTATED,
        "Values that become −1 and 1, of images of 16 bits and of arrays of numbers: LOW,HIGH, percentiles "
        "such as p1,p99, or auto for the extremes of the training images. For channels with units of their "
        "own: LOW,HIGH of one after the other, or p1,p99,each and auto,each. Without it, images of 16 bits "
        "are brought to 8, and arrays take their extremes.",
        reader=read_range,
    )
    depth: str = option(
        "auto",
        "Type in which values are held: uint8 brings images of 16 bits to 8; auto is that of the files where "
        "a range is given or 8 bits cannot hold them, else uint8.",
        choices=("auto", "uint8", *DEPTHS),
        earlier="uint8",
    )
