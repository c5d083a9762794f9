"""Surveys of the pixels of images that are held in 8 bits: what becomes of 16 bits, and constant channels."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from statistics import fmean

import numpy as np

from experiments.data.core.array_files import read_values
from experiments.data.core.decoding import (
    Extremes,
    Store,
    UnreadableError,
    can_be_scaled,
    read_extremes,
    read_image,
)
from experiments.data.core.sixteen_bits import WHOLE_RANGE
from experiments.data.core.surveys import MOST_FILES
from experiments.data.core.value_surveys import (
    FEW_PICTURES,
    Planes,
    remark_on_constants,
    remarks_on_clipping,
)

HALF_RANGE = 2**15  # values below it leave the upper half of 16 bits empty
FEW_FILES = 16  # whose extremes are looked at


def find_range(store: Store, names: Sequence[str]) -> tuple[int, int] | None:
    """Finds the smallest and the largest value of all images of 16 bits; None where they do not differ.

    Images that cannot be read or scaled do not count.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda name: _extremes_of(store, name), names))
    extremes = [each for each in found if each is not None and each.is_scalable]
    low = min((each.low for each in extremes), default=0)
    high = max((each.high for each in extremes), default=0)
    return (max(low, 0), min(high, WHOLE_RANGE[1])) if low < high else None


def remarks_on_bits(store: Store, names: Sequence[str], channels: int) -> tuple[str, ...]:
    """Makes remarks on images that are held in 8 bits with `channels`: on their range, or constant channels.

    A range of 16 bits that shows little, or clips, is the reason where channels are constant.
    """
    remarks = remark_on_whole_range if store.value_range == WHOLE_RANGE else remark_on_stated_range
    if found := remarks(store, names):
        return found

    def read(index: int) -> Planes | None:
        with suppress(UnreadableError):
            pixels = np.asarray(read_image(store, names[index], channels)[1])
            return pixels.reshape(*pixels.shape[:2], channels)
        return None

    return remark_on_constants(len(names), read)


def remark_on_stated_range(store: Store, names: Sequence[str]) -> tuple[str, ...]:
    """Makes a remark on a range that changes nothing, or clips more than a few values; else none."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        few = [name for name in _some(names, FEW_PICTURES) if _is_scalable(store, name)]
        if few:
            shares = list(pool.map(lambda name: _clipped_share(store, name), few))
            found = [share for share in shares if share is not None]
            return remarks_on_clipping([fmean(found)] if found else [], len(found), store.value_range)
        looked_at = _some(names, MOST_FILES)
        if any(pool.map(lambda name: _is_scalable(store, name), looked_at)):
            return ()
    if len(looked_at) == len(names):
        return ("has no images of 16 bits that can be scaled, so data.range changes nothing",)
    return (
        f"none of the {len(looked_at):,} images looked at, of {len(names):,}, has 16 bits that can be "
        "scaled; data.range changes nothing in such images",
    )


def remark_on_whole_range(store: Store, names: Sequence[str]) -> tuple[str, ...]:
    """Makes a remark on 16-bit images that use little of their range, and so show little; else none."""
    found = [_extremes_of(store, name) for name in _some(names, FEW_FILES)]
    extremes = [each for each in found if each is not None]
    if not extremes:
        return ()
    low, high = min(each.low for each in extremes), max(each.high for each in extremes)
    is_dark = high < HALF_RANGE
    if low == high and len(extremes) == len(found):
        return (
            f"all values of the {len(found)} images looked at, of 16 bits, are {low:,}: there is nothing to "
            "learn in them; look into the files, or take others",
        )
    if low == high or not (is_dark or high - low < WHOLE_RANGE[1] // 4):
        return ()
    asked = (0, 2 ** high.bit_length() - 1) if is_dark else (low, high)
    remedy = f"--set data.range={asked[0]},{asked[1]} scales them, --set data.range=auto by their extremes"
    if not all(each.is_scalable for each in extremes):
        remedy = "those in colour cannot be scaled here: save them as PNG"
    return (
        f"images of 16 bits have values from {low:,} to {high:,} only, of 0 to {WHOLE_RANGE[1]:,}, and look "
        f"{'dark' if is_dark else 'flat'}; {remedy}",
    )


def _some(names: Sequence[str], most: int) -> Sequence[str]:
    """Takes `most` of the names, evenly spread, or all where there are fewer."""
    return names[:: -(-len(names) // most)]


def _extremes_of(store: Store, name: str) -> Extremes | None:
    """Extremes of an image of 16 bits; None for another, and for one that cannot be read."""
    with suppress(UnreadableError):
        return read_extremes(store, name)
    return None


def _is_scalable(store: Store, name: str) -> bool:
    """Whether an image has 16 bits that can be scaled, by its header; not so where it cannot be read."""
    with suppress(UnreadableError):
        return can_be_scaled(store, name)
    return False


def _clipped_share(store: Store, name: str) -> float | None:
    """Share of an image's values of 16 bits that the range of the store clips; None for an unreadable one."""
    low, high = store.value_range
    with suppress(UnreadableError):
        values = read_values(store, name)
        colours = values[..., :-1] if values.shape[2] in (2, 4) else values
        return float(((colours < low) | (colours > high)).mean())
    return None
