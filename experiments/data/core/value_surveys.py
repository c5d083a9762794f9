"""Surveys of the values of array pictures: their range, what it clips, and channels that are constant."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.core.units import PixelUnits
from experiments.data.core.array_files import read_values
from experiments.data.core.decoding import Store, UnreadableError
from experiments.data.core.picture_options import AUTO, ValueRange, percentile_of

MOST_VALUES = 2**26  # of which percentiles are taken: of more, those of files that are evenly spread
FEW_FILES = 64  # whose values are looked at for what a range clips
MOST_CLIPPED = 0.05  # share of the values that a range may clip unsaid


def find_values_range(store: Store, names: Sequence[str], asked: ValueRange | str) -> tuple[float, float]:
    """Finds the range of values of pictures: their extremes, or percentiles such as ("p1", "p99").

    Extremes are those of all files; percentiles of at most 2²⁶ values, in files that are evenly spread. Files
    that cannot be read do not count.

    Raises ValueError where all values are equal, or no file can be read.
    """
    if asked == AUTO or not asked:
        ends = [each for each in _map(_extremes, store, names) if each is not None]
        low, high = min((low for low, _ in ends), default=0), max((high for _, high in ends), default=0)
    else:
        first = next((values for name in names if (values := _read(store, name)) is not None), None)
        step = 1 if first is None else -(-len(names) * first.size // MOST_VALUES)
        found = [each.ravel() for each in _map(_read, store, names[::step]) if each is not None]
        shares = [percentile_of(str(word)) for word in asked]
        low, high = np.percentile(np.concatenate(found), shares) if found else (0, 0)
    if not low < high:
        raise ValueError(
            f"{store.name_of(names[0])} and the others have no different values (only {low:g}): there is "
            "nothing to learn; or give --set data.range=LOW,HIGH"
        )
    return _plain(low), _plain(high)


class ChannelSurvey(NamedTuple):
    """Survey of the values of one picture.

    Attributes:
        clipped: share of the values outside of the range.
        low, high: extremes of each channel, `(C,)`.
    """

    clipped: float
    low: NDArray[Any]
    high: NDArray[Any]


def remarks_on_values(store: Store, names: Sequence[str], units: PixelUnits | None) -> tuple[str, ...]:
    """Makes remarks on array pictures: values that the range clips, and channels that are constant."""

    def survey(store: Store, name: str) -> ChannelSurvey | None:
        values = _read(store, name)
        if values is None:
            return None
        outside = (values < units.low) | (values > units.high) if units else np.zeros(1, bool)
        return ChannelSurvey(outside.mean(), values.min(axis=(0, 1)), values.max(axis=(0, 1)))

    looked_at = names[:: -(-len(names) // FEW_FILES)]
    found = [each for each in _map(survey, store, looked_at) if each is not None]
    if not found or len({len(each.low) for each in found}) > 1:  # which opening the set refuses
        return ()
    remarks = []
    clipped = float(np.mean([each.clipped for each in found]))
    if units and clipped > MOST_CLIPPED:
        remarks.append(
            f"data.range {units.low:g},{units.high:g} clips {clipped:.1%} of the values (of {len(found)} "
            "images looked at); --set data.range=p0.5,p99.5 clips 1 %, --set data.range=auto none"
        )
    low, high = np.min([each.low for each in found], axis=0), np.max([each.high for each in found], axis=0)
    for channel in (low == high).nonzero()[0]:
        remarks.append(
            f"channel {channel + 1} of {len(low)} is constant ({low[channel]:g}) in all {len(found)} images "
            "looked at: there is nothing to learn in it; leave it out of the files"
        )
    return tuple(remarks)


def remark_on_view(channels: int) -> tuple[str, ...]:
    """Makes a remark on pictures that show some of the channels only; else none."""
    if channels in (1, 3, 4):
        return ()
    shown = "the first three as red, green and blue" if channels > 4 else "the first in grey"
    return (f"has {channels} channels: pictures show {shown}; .npy and TIFF files have all",)


def _extremes(store: Store, name: str) -> tuple[float, float] | None:
    values = _read(store, name)
    return None if values is None else (values.min(), values.max())


def _read(store: Store, name: str) -> NDArray[Any] | None:
    """The values of a picture; None for one that cannot be read, which opening the set finds."""
    with suppress(UnreadableError):
        return read_values(store, name)
    return None


def _map(work: Any, store: Store, names: Sequence[str]) -> list[Any]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda name: work(store, name), names))


def _plain(value: Any) -> float:
    """A number as Python has it, whole where it is one."""
    number = float(value)
    return int(number) if number.is_integer() else number
