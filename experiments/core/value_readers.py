"""Readers of values: check the words of a flag or JSON, and convert them.

A bad value is a ValueError of one line.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.core.paths import expand_home

Size = tuple[int, int]
DEVICE = re.compile(r"auto|cpu|mps|cuda(:(0|[1-9][0-9]{0,2}))?")

Read = Callable[[object], Any]
LARGEST = 2**63 - 1  # whole number that an int64 holds
LARGEST_SIDE = 16384  # of images, in pixels
MOST_CHANNELS = 256  # of images


@dataclass(frozen=True)
class WholeNumber:
    """Reader of whole numbers from `minimum` to `maximum`."""

    minimum: int
    maximum: int

    def __call__(self, value: object) -> int:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if (
            isinstance(number, int)
            and not isinstance(number, bool)
            and self.minimum <= number <= self.maximum
        ):
            return number
        top = f" to {self.maximum}" if self.maximum < LARGEST else " or more, below 2^63"
        raise ValueError(f"'{value}' is not a whole number of {self.minimum}{top}")

    @property
    def bounds(self) -> str:
        """The bounds as help texts of click show them: `1<=x<=32`."""
        return f"{self.minimum}<=x<={self.maximum}" if self.maximum < LARGEST else f"x>={self.minimum}"


@dataclass(frozen=True)
class FiniteNumber:
    """Reader of finite numbers within bounds, of which those that are infinite bound nothing."""

    above: float
    at_least: float
    at_most: float
    below: float

    def __call__(self, value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):  # of a whole number with hundreds of digits
            number = math.nan
        is_within = self.above < number < self.below and self.at_least <= number <= self.at_most
        if not math.isfinite(number) or not is_within:
            words = {"above": self.above, "at least": self.at_least}
            words |= {"at most": self.at_most, "below": self.below}
            bounds = [f"{word} {bound:g}" for word, bound in words.items() if math.isfinite(bound)]
            raise ValueError(f"'{value}' is not a number {' and '.join(bounds)}".rstrip())
        return number

    @property
    def bounds(self) -> str:
        """The bounds as help texts of click show them: `0<x<=10`; empty without any."""
        low, least = max((self.above, "<"), (self.at_least, "<="))
        high, most = min((self.below, "<"), (self.at_most, "<="))
        if math.isinf(low) and math.isinf(high):
            return ""
        if math.isinf(high):
            return f"x{least.replace('<', '>')}{low:g}"
        return (f"{low:g}{least}" if math.isfinite(low) else "") + f"x{most}{high:g}"


def whole_number(minimum: int, maximum: int = LARGEST) -> WholeNumber:
    """Makes a reader of whole numbers within bounds."""
    return WholeNumber(minimum, maximum)


def number_ranges(what: str, most: int = 2**63 - 1, most_numbers: int = 1_000_000) -> Read:
    """Makes a reader of whole numbers of 0 or more: `0-63`, or `1,5-7`, where the ends are included."""

    def read(value: object) -> tuple[int, ...]:
        found: list[int] = []
        for part in str(value).split(","):
            ends = [
                int(end) for end in part.split("-") if end.isascii() and end.isdecimal() and len(end) < 20
            ]
            if len(ends) != part.count("-") + 1 or len(ends) > 2 or ends[0] > ends[-1] or ends[-1] > most:
                raise ValueError(f"'{part}' is not {what}: give whole numbers or ranges, such as 3 or 0-63")
            if len(found) + ends[-1] - ends[0] >= most_numbers:
                raise ValueError(f"'{value}' are more than {most_numbers:,} {what}")
            found += range(ends[0], ends[-1] + 1)
        return tuple(found)

    return read


def finite_number(
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> FiniteNumber:
    """Makes a reader of finite numbers within bounds."""
    return FiniteNumber(above, at_least, at_most, below)


def text(value: object) -> str:
    """Reads a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"'{value}' is not a name")
    return value


@dataclass(frozen=True)
class Choice:
    """Reader of one of the known words.

    Attributes:
        refused: words that are not offered, each with the reason and a remedy.
    """

    known: tuple[str, ...]
    refused: tuple[tuple[str, str], ...] = ()

    def __call__(self, value: object) -> str:
        if (reason := dict(self.refused).get(str(value))) is not None:
            raise ValueError(f"'{value}' is not offered: {reason}")
        if value not in self.known:
            raise ValueError(f"'{value}' is not one of: {', '.join(self.known)}")
        return str(value)

    @property
    def metavar(self) -> str:
        """The words as help texts show them: `warn|stop|rollback`."""
        return "|".join(self.known)


def path_words(value: object) -> str:
    """Reads a path as it was given."""
    return text(str(value) if isinstance(value, Path) else value)


def choice(*known: str, refused: Mapping[str, str] | None = None) -> Choice:
    """Makes a reader of one of the known words, which may refuse others for a reason of their own."""
    return Choice(known, tuple((refused or {}).items()))


def device_name(value: object) -> str:
    """Reads the name of a device: auto, cpu, mps, cuda, or cuda:N for one of several GPUs."""
    if not (isinstance(value, str) and DEVICE.fullmatch(value)):
        raise ValueError(f"'{value}' is not one of: auto, cpu, cuda, cuda:0, cuda:1, …, mps")
    return value


def words(value: object) -> tuple[str, ...]:
    """Reads a list of different names, separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError(f"'{value}' is not a list of names")
    found = tuple(text(part) for part in parts if part != "")
    if len(set(found)) < len(found):
        raise ValueError(f"'{','.join(found)}' names one twice")
    return found


def penalty_points(value: object) -> tuple[str, ...]:
    """Reads a list of penalty points, where "none" takes away those that a loss brings."""
    return () if value == "none" else words(value)


def file_paths(value: object) -> tuple[str, ...]:
    """Reads a list of files as absolute paths, so that a run goes on from any folder."""
    return words([str(Path(path).absolute().resolve()) for path in words(value)])


def height_and_width(value: Any) -> Size:
    """Reads an image size `S`, `HxW` or `[H, W]` as (height, width)."""
    parts = value.lower().split("x") if isinstance(value, str) else value
    parts = [parts] if isinstance(parts, int) else parts
    try:
        height, width = (
            whole_number(1, LARGEST_SIDE)(part) for part in (parts * 2 if len(parts) == 1 else parts)
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{value}' is not a size: S or HxW, from 1 to {LARGEST_SIDE} pixels") from error
    return height, width


def beta_pair(value: Any) -> tuple[float, float]:
    """Reads a pair of Adam's betas, each from 0 to below 1."""
    parts = value.split(",") if isinstance(value, str) else value
    try:
        first, second = (finite_number(at_least=0.0, at_most=1.0)(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"'{value}' is not a pair of numbers from 0 to below 1, such as 0.5,0.999"
        ) from error
    if max(first, second) == 1.0:
        raise ValueError(f"'{value}': both must be below 1")
    return first, second


def strengths(value: Any) -> tuple[tuple[str, float], ...]:
    """Reads `NAME=STRENGTH,…`, a mapping, or pairs as pairs of name and strength, sorted by name."""
    if isinstance(value, str):
        value = [part.partition("=")[::2] for part in value.split(",") if part]
    try:
        pairs = sorted((name, strength) for name, strength in (dict(value).items()))
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{value}' is not a list of NAME=STRENGTH") from error
    if len(pairs) < len(value):
        raise ValueError(f"'{','.join(name for name, _ in value)}' names one twice")
    return tuple((text(name), _strength(name, strength)) for name, strength in pairs)


def augmentations(value: object) -> tuple[tuple[str, float], ...]:
    """Reads `NAME[=STRENGTH],…`, a mapping, or pairs as pairs of name and strength.

    A name alone has its usual strength. Raises UsageError for an unknown augmentation.
    """
    from experiments.core import registry

    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        parts = [part.partition("=") for part in value if part]
        value = [
            (name, given if equals else registry.load("augmentation", name).usual_strength)
            for name, equals, given in parts
        ]
    pairs = strengths(value)
    for name, strength in pairs:
        registry.check_name("augmentation", name)
        if not 0 < strength <= 1:
            raise ValueError(f"{name}={strength:g}: the strength must be above 0 and at most 1")
    return pairs


def critic_augmentation(value: object) -> str:
    """Reads `NAME` or `NAME:P`, a critic augmentation and its fixed probability; or "none".

    Raises UsageError for an unknown critic augmentation.
    """
    from experiments.core import registry

    name, colon, given = text(value).partition(":")
    if value == "none":
        return "none"
    registry.check_name("critic-augmentation", name)
    if not colon:
        return name
    if not registry.load("critic-augmentation", name).takes_probability:
        raise ValueError(f"'{value}': {name} takes no probability; give {name} alone")
    probability = finite_number(at_least=0.0, at_most=1.0)(given)
    return f"{name}:{probability!r}"


def scheduled_values(value: Any) -> tuple[tuple[str, str, float, float], ...]:
    """Reads `KEY=SCHEDULE:BEGIN:END,…`, or lists of the four; sorted by key."""
    parts = value
    if isinstance(value, str):
        parts = [re.split("[=:]", part) for part in value.split(",") if part]
    try:
        found = sorted(
            (text(key).replace("-", "_"), text(schedule), finite_number()(begin), finite_number()(end))
            for key, schedule, begin, end in parts
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"'{value}' is not a list of KEY=SCHEDULE:BEGIN:END, such as penalty_weight=cosine:10:1"
        ) from error
    if len({key for key, *_ in found}) < len(found):
        raise ValueError(f"'{value}' names a key twice")
    return tuple(found)


def _strength(name: str, value: object) -> float:
    try:
        return finite_number()(value)
    except ValueError as error:
        raise ValueError(f"{name}={value}: the strength must be a number") from error


def batch_sizes(value: Any) -> tuple[tuple[int, int], ...]:
    """Reads `SIDE:N,…`, a mapping, or pairs as pairs of image side and batch size, sorted by side."""
    if isinstance(value, str):
        value = [part.partition(":")[::2] for part in value.split(",") if part]
    try:
        pairs = [(side, count) for side, count in (value.items() if isinstance(value, dict) else value)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{value}' is not a list of SIDE:N, such as 4:64,8:32") from error
    found = sorted((whole_number(1)(side), whole_number(1)(count)) for side, count in pairs)
    if len({side for side, _ in found}) < len(found):
        raise ValueError(f"'{','.join(str(side) for side, _ in found)}' names one twice")
    return tuple(found)


def micro_batch_size(value: object) -> int | str:
    """Reads a number of images, or "auto". Raises ValueError for anything else."""
    try:
        return "auto" if value == "auto" else whole_number(1)(value)
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from error


def channel_count(value: object) -> int:
    """Reads a number of channels: 1 (grey), 3 (RGB), 4 (RGBA), or that of data with as many."""
    return whole_number(1, MOST_CHANNELS)(value)


def boolean(value: object) -> bool:
    """Reads a boolean."""
    if not isinstance(value, bool):
        raise ValueError(f"'{value}' is not true or false")
    return value


def folder_path(value: object) -> str:
    """Reads a folder as an absolute path, with ~ expanded."""
    return str(expand_home(text(value)).absolute())
