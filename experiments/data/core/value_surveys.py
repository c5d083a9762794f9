"""Surveys of the values of array pictures: their range, what it clips, and channels that are constant."""

import logging
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.core.units import PixelUnits
from experiments.core.word_lists import first_few
from experiments.data.core.array_files import read_values
from experiments.data.core.decoding import Store, UnreadableError, describe_none_readable
from experiments.data.core.picture_options import (
    PERCENTILE,
    ValueRange,
    check_range,
    is_by_channel,
    is_open_range,
    percentile_of,
    plain_number,
    range_words,
)

MOST_VALUES = 2**26  # of which percentiles are taken: of more, those of pictures that are evenly spread
FEW_PICTURES = 64  # whose values are looked at for what a range clips
LEAST_LEVELS = 2**16  # of float32 in a range, where the files have more: as many as 16 bits have
MOST_CLIPPED = 0.05  # share of the values that a range may clip unsaid
NAMED = 5  # channels that a remark names
Planes = NDArray[np.uint8]  # (H, W, C)
log = logging.getLogger("gans")


class PictureValues(ABC):
    """Pictures as arrays of numbers, read one by one, by several threads at once."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def name_of(self, index: int) -> str:
        """Names a picture in messages."""

    @abstractmethod
    def read(self, index: int) -> NDArray[Any]:
        """Reads a picture `(H, W, C)`. Raises UnreadableError for one that may be left out."""


class FilePictures(PictureValues):
    """Pictures that are a file each, in the numbers of the files."""

    def __init__(self, store: Store, names: Sequence[str]) -> None:
        self.store, self.names = store, names

    def __len__(self) -> int:
        return len(self.names)

    def name_of(self, index: int) -> str:
        return self.store.name_of(self.names[index])

    def read(self, index: int) -> NDArray[Any]:
        return read_values(self.store, self.names[index])


def find_units(
    location: str,
    pictures: PictureValues,
    asked: ValueRange | str,
    array_type: str,
    count_channels: Callable[[], int | None],
) -> PixelUnits:
    """Finds the units of training pictures by the option `data.range`, and says a range that was found.

    Args:
        location: name of the data, for that line.
        asked: the option; without a word, the extremes.
        array_type: type in which the values are held.
        count_channels: the number of their channels, asked for where that of a stated range is to be checked.

    Raises ValueError for a range that cannot be scaled, one of other channels, and where `find_values_range`
    does.
    """
    if isinstance(asked, tuple) and not is_open_range(asked):
        return PixelUnits.from_range(_check_channels(check_range(asked), count_channels), array_type)
    found = find_values_range(pictures, asked)
    asked_for = f"data.range={range_words(asked)}" if asked else "data.range"
    log.info(f"{location}: {asked_for} is {range_words(found)}, of the training images")
    return PixelUnits.from_range(check_range(found), array_type)


def _check_channels(ends: tuple[float, ...], count_channels: Callable[[], int | None]) -> tuple[float, ...]:
    """Checks that a range for each channel has as many as the images; returns it. Raises ValueError."""
    if len(ends) > 2 and len(ends) != 2 * ((channels := count_channels()) or 0):
        raise ValueError(
            f"data.range {range_words(ends)} is of {len(ends) // 2} channels, and the images have "
            f"{channels}: write LOW,HIGH for each, one after the other"
        )
    return ends


def find_values_range(pictures: PictureValues, asked: ValueRange | str) -> tuple[float, ...]:
    """Finds the range of values of pictures: their extremes, or percentiles such as ("p1", "p99").

    Extremes are those of all pictures; percentiles of at most 2²⁶ values, in pictures that are evenly spread.
    Pictures that cannot be read do not count.

    Returns (low, high), or where `asked` ends with "each", these for each channel, one after the other.
    Raises ValueError where all values are equal, or those of a channel, or no picture can be read.
    """
    by_channel, words = is_by_channel(asked), () if isinstance(asked, str) else asked
    shares = [percentile_of(word) for word in words if PERCENTILE.fullmatch(word)]
    if not shares:
        found = [each for each in map_pictures(_extremes, pictures) if each is not None]
    else:
        read_each = (_read(pictures, index) for index in range(len(pictures)))
        first = next((values for values in read_each if values is not None), None)
        step = 1 if first is None else -(-len(pictures) * first.size // MOST_VALUES)
        read = (each for each in map_pictures(_read, pictures, step) if each is not None)
        found = [each.reshape(-1, each.shape[2]) for each in read]
    if not found:
        raise ValueError(describe_none_readable(len(pictures)))
    if by_channel:  # opening the set refuses others
        found = [each for each in found if each.shape[1] == found[0].shape[1]]
    else:  # grey and colour may stand side by side
        found = [each.reshape(-1, 1) for each in found]
    ends = np.percentile(np.concatenate(found), shares or [0, 100], axis=0 if by_channel else None).reshape(
        2, -1
    )
    for channel, (low, high) in enumerate(ends.T):
        if not low < high:
            whose, way_out = "", "give --set data.range=LOW,HIGH"
            if by_channel:
                whose = f"in channel {channel + 1} "
                way_out = "give --set data.range=LOW,HIGH with those of each channel"
            raise ValueError(
                f"{pictures.name_of(0)} and the others have no different values {whose}(only {low:g}): "
                f"there is nothing to learn; or {way_out}"
            )
    return tuple(plain_number(end) for pair in ends.T for end in pair)


class ChannelSurvey(NamedTuple):
    """Survey of the values of one picture.

    Attributes:
        clipped: share of the values of each channel outside of the range, `(C,)`.
        low, high: extremes of each channel, `(C,)`.
        type: of the values.
    """

    clipped: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]
    type: np.dtype[Any]


def remarks_on_values(pictures: PictureValues, units: PixelUnits | None) -> tuple[str, ...]:
    """Makes remarks on array pictures: values clipped by the range, constant channels, levels that are lost.

    Args:
        pictures: in the type of their files.
    """
    by_channel = units.range if units and len(units.range) > 2 else ()

    def survey(pictures: PictureValues, index: int) -> ChannelSurvey | None:
        values = _read(pictures, index)
        if values is None or (by_channel and len(by_channel) != 2 * values.shape[2]):
            return None
        outside = (values < units.low) | (values > units.high) if units else np.zeros(values.shape, bool)
        low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
        return ChannelSurvey(outside.mean(axis=(0, 1)), low, high, values.dtype)

    found = [
        each for each in map_pictures(survey, pictures, -(-len(pictures) // FEW_PICTURES)) if each is not None
    ]
    if not found or len({len(each.low) for each in found}) > 1:  # which opening the set refuses
        return ()
    remarks: tuple[str, ...] = ()
    if units:
        clipped = np.mean([survey.clipped for survey in found], axis=0)
        clipped = clipped if by_channel else clipped.mean(keepdims=True)
        remarks = remarks_on_clipping(clipped.tolist(), len(found), units.range)
        if units.depth == "float32":
            remarks += remark_on_lost_levels(units.range, found[0].type)
    low, high = np.min([each.low for each in found], axis=0), np.max([each.high for each in found], axis=0)
    return remarks + _describe_constants(low, high, len(found), "leave {} out of the files")


def remark_on_constants(count: int, read: Callable[[int], Planes | None]) -> tuple[str, ...]:
    """Makes a remark on channels of images of 8 bits that are constant in those looked at; else none.

    Mostly the first image tells that there are none.

    Args:
        count: of the images, of which a few are looked at, evenly spread.
        read: reads an image as uint8 `(H, W, C)`, C 1, 3 or 4; None for one that cannot be read.
    """
    low, high, looked_at = np.array([255]), np.array([0]), 0
    for index in range(0, count, -(-count // FEW_PICTURES)):
        if (pixels := read(index)) is not None:
            low = np.minimum(low, pixels.min(axis=(0, 1)))
            high = np.maximum(high, pixels.max(axis=(0, 1)))
            looked_at += 1
            if (low < high).all():
                return ()
    is_constant = low == high
    is_opaque = len(low) == 4 and is_constant[3] and not is_constant[:3].any()
    way_out = "--channels 3 leaves {} out" if is_opaque else "--channels 1 takes all in grey"
    return _describe_constants(low, high, looked_at, way_out)


def _describe_constants(low: NDArray[Any], high: NDArray[Any], count: int, way_out: str) -> tuple[str, ...]:
    """Makes a remark on channels whose extremes `(C,)` in `count` images are equal; else none.

    Args:
        way_out: advice, where other channels are left.
    """
    constant = (low == high).nonzero()[0].tolist()
    values = first_few([f"{low[channel]:g}" for channel in constant], NAMED)
    if not constant or count < 2:  # one image tells nothing of a set
        return ()
    if len(constant) == len(low):
        return (
            f"every pixel of the {count} images looked at is the same ({values}): there is nothing to learn "
            "in them; look into the files, or take others",
        )
    named, one = first_few([channel + 1 for channel in constant], NAMED), len(constant) == 1
    whose, pronoun = (f"channel {named}", "it") if one else (f"channels {named}", "them")
    return (
        f"{whose} of {len(low)} {'is' if one else 'are'} constant ({values}) in all {count} images looked "
        f"at: there is nothing to learn in {pronoun}; {way_out.format(pronoun)}",
    )


def remark_on_lost_levels(ends: Sequence[float], kind: np.dtype[Any]) -> tuple[str, ...]:
    """Makes a remark where float32, which holds the values, has few of the levels of their files; else none.

    Args:
        ends: (low, high), or those of each channel, one after the other.
        kind: type of the values in the files.
    """
    is_finer = kind.itemsize > 4 if kind.kind == "f" else kind.itemsize >= 4
    for low, high in zip(ends[::2], ends[1::2], strict=True):
        step = math.ldexp(1, math.frexp(max(abs(low), abs(high)))[1] - 24)  # of its 24 bits the last
        levels = int((high - low) / step) + 1
        if is_finer and levels < LEAST_LEVELS and not (kind.kind in "ui" and step <= 1):
            return (
                f"float32, which holds the values, has {levels:,} levels from {low} to {high}, their type "
                f"{kind.name} has more: subtract {low} from all, and save them anew",
            )
    return ()


def remarks_on_clipping(clipped: Sequence[float], count: int, ends: Sequence[float]) -> tuple[str, ...]:
    """Makes a remark where a range clips more than a few of the values, or of those of its channel.

    Args:
        clipped: shares of the values outside, for each range.
        count: of the images looked at.
        ends: (low, high), or those of each channel, one after the other.
    """
    way_out = "--set data.range=p0.5,p99.5 clips 1 %, --set data.range=auto none"
    if len(ends) > 2:
        way_out = "--set data.range=p0.5,p99.5,each clips 1 %, --set data.range=auto,each none"
    remarks = []
    for channel, share in enumerate(clipped):
        if share > MOST_CLIPPED:
            low, high = ends[2 * channel : 2 * channel + 2]
            whose = f" of channel {channel + 1}" if len(ends) > 2 else ""
            remarks.append(
                f"data.range {low:g},{high:g} clips {share:.1%} of the values{whose} (of {count} images "
                f"looked at); {way_out}"
            )
    return tuple(remarks)


def remark_on_view(channels: int) -> tuple[str, ...]:
    """Makes a remark on pictures that show some of the channels only; else none."""
    if channels in (1, 3, 4):
        return ()
    shown = "the first three as red, green and blue" if channels > 4 else "the first in grey"
    return (f"has {channels} channels: pictures show {shown}; .npy and TIFF files have all",)


def _extremes(pictures: PictureValues, index: int) -> NDArray[Any] | None:
    """The extremes of each channel of a picture, `(2, C)`."""
    values = _read(pictures, index)
    return None if values is None else np.stack([values.min(axis=(0, 1)), values.max(axis=(0, 1))])


def _read(pictures: PictureValues, index: int) -> NDArray[Any] | None:
    """The values of a picture; None for one that cannot be read, which opening the set finds."""
    with suppress(UnreadableError):
        return pictures.read(index)
    return None


def map_pictures(work: Any, pictures: PictureValues, step: int = 1) -> list[Any]:
    """Maps work, a function of pictures and an index, over all or every `step`th, on all cores, in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda index: work(pictures, index), range(0, len(pictures), step)))
