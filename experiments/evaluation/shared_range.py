"""One range of values for both sides of a distance, where images have more than 8 bits."""

import logging
from collections.abc import Mapping
from typing import Any

from experiments.core.errors import UsageError, usage_errors
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.units import PixelUnits
from experiments.data.core.picture_options import (
    check_range,
    is_found_in_data,
    is_open_range,
    plain_number,
    range_words,
    read_range,
)
from experiments.evaluation.sample_sets import DataSamples, SampleSet

log = logging.getLogger("gans")

RANGE, DEPTH = "data.range", "data.depth"
Ends = tuple[float, ...]  # LOW, HIGH, or these for each channel, one after the other


def stated_range(options: SettingValues) -> Ends:
    """The range that options of data state in numbers; empty where none is, and where it is left to the data.

    Raises UsageError for a range that is none, and for one that would be found in each side without a record.
    """
    with usage_errors(f"--set {RANGE}"):
        asked = read_range(options.get(RANGE, ()))
    if is_found_in_data(asked) and options.get(DEPTH) == "uint8":
        raise UsageError(
            f"--set {RANGE}={range_words(asked)} would bring each set of images to 8 bits by a range of its "
            f"own, and their distance would mean nothing: state one, --set {RANGE}=LOW,HIGH, or leave "
            f"{DEPTH} out"
        )
    return () if isinstance(asked, str) or is_open_range(asked) else tuple(asked)


def recorded_range(name: str, record: JsonObject) -> Ends:
    """The range in the record of a side; empty for 8 bits, and where nothing says it.

    Raises UsageError for what is no range.
    """
    with usage_errors(f"{name}: its provenance"):
        ends = read_range(record.get("range") or ())
        if is_found_in_data(ends):
            raise ValueError(f"'{range_words(ends)}' is no range of numbers")
        return check_range(tuple(ends))


def record_range(samples: SampleSet, stated: Ends) -> JsonObject:
    """The part of a record that says by which range the values of images became pixels.

    Args:
        stated: range that the user states for both sides, by which images of 8 bits are compared with others.
    """
    if not samples.is_images:
        return {}
    return {"range": [*(stated if samples.units is None else range_of(samples.units))] or None}


def range_of(units: PixelUnits) -> Ends:
    """The range of units, with whole numbers as such: `0.0,2.0` of a config is the range `0,2` of data."""
    return tuple(map(plain_number, units.range))


def options_of_range(ends: Ends, units: PixelUnits | None, options: SettingValues) -> SettingValues:
    """The options of data that is brought by the range of the other side, where the user states none.

    Args:
        units: of a generator, of which data takes the type as well where it is float32, which holds any.
    """
    if not ends or options.get(RANGE):
        return options
    is_float = units is not None and units.depth == "float32" and not options.get(DEPTH)
    return {**options, RANGE: ends, **({DEPTH: "float32"} if is_float else {})}


def share_range(data: Mapping[str, DataSamples], units: Mapping[str, PixelUnits | None]) -> None:
    """Gives data on both sides, each with a range of its own, the range of both together, in place.

    Args:
        data: samples by name; units: those of generators by name.

    Raises UsageError where one side has 8 bits and the other has more: no range is that of both.
    """
    found = {name: samples.units for name, samples in data.items() if samples.is_images} | dict(units)
    beyond = {name: each for name, each in found.items() if each is not None}
    if beyond and len(beyond) < len(found):
        plain = next(name for name in found if name not in beyond)
        name, own = next(iter(beyond.items()))
        raise UsageError(
            f"{plain} has 8 bits and {name} has values from {range_words(range_of(own))}: state which of "
            f"these are black and white, --set {RANGE}=LOW,HIGH"
        )
    ranges = {range_of(each) for each in beyond.values()}
    if len(ranges) < 2 or set(beyond) != set(data):
        return
    if len(sizes := {len(ends) for ends in ranges}) > 1:
        raise UsageError(
            f"{' and '.join(beyond)} have ranges of {' and '.join(str(size // 2) for size in sorted(sizes))} "
            f"channels: state one of both, --set {RANGE}=LOW,HIGH"
        )
    ends = _together(ranges)
    for samples in data.values():
        held: Any = samples.data.units
        samples.data.units = PixelUnits.from_range(ends, held.depth)
    log.info(
        f"{' and '.join(data)} are compared in one range, {range_words(ends)}, that of both together; "
        f"--set {RANGE}=LOW,HIGH states another"
    )


def _together(ranges: set[Ends]) -> Ends:
    """The smallest range that includes several, channel by channel."""
    ends = zip(*ranges, strict=True)
    return tuple(min(each) if place % 2 == 0 else max(each) for place, each in enumerate(ends))


def range_difference(ours: JsonObject, theirs: JsonObject) -> list[str]:
    """A line for two records whose images were brought by different ranges; none where one does not say."""
    if "range" not in ours or "range" not in theirs:
        return []
    one, other = (tuple(record["range"] or ()) for record in (ours, theirs))
    if one == other:
        return []
    words = (range_words(ends) if ends else "8 bits" for ends in (one, other))
    return [f"{RANGE}: {' and '.join(words)}"]
