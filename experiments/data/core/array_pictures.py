"""Arrays of numbers as pictures of one size, type and number of channels."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from experiments.core.units import PixelUnits
from experiments.data.core.array_files import read_values
from experiments.data.core.conversion import resize
from experiments.data.core.dataset import Fit
from experiments.data.core.decoding import REMEDY, Header, Store, UnreadableError


def read_array(store: Store, name: str, channels: int) -> tuple[Header, NDArray[Any]]:
    """Reads a picture as an array `(H, W, C)` in the type of its set, with the channels of its set.

    Raises UnreadableError, and ValueError for another number of channels or a type that does not fit.
    """
    values = read_values(store, name)
    header, file = Header(*values.shape), store.name_of(name)
    if header.channels != channels:
        raise ValueError(
            f"{file} has {_count(header.channels)}, not {channels} as others: save all with as many, or take "
            "it out"
        )
    if store.array_type != "float32" and values.dtype.name != store.array_type:
        raise ValueError(
            f"{file} has values of type {values.dtype.name}, others {store.array_type}: "
            "--set data.depth=float32 takes both"
            + (", --set data.depth=uint8 all in 8 bits" if values.dtype == np.uint8 else "")
        )
    return header, values.astype(store.array_type, copy=False)


def read_network_array(store: Store, name: str, channels: int, units: PixelUnits) -> NDArray[Any]:
    """Reads a picture as networks see it: float32 `(H, W, C)` in [−1, 1], by the units of a run.

    Raises UnreadableError, also for another number of channels.
    """
    values = read_values(store, name)
    if values.shape[2] != channels:
        raise UnreadableError(
            f"{store.name_of(name)} has {_count(values.shape[2])}, and the run has {channels}{REMEDY}"
        )
    planes = torch.from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1)
    return units.to_networks(planes).permute(1, 2, 0).numpy()


def resize_array(values: NDArray[Any], size: tuple[int, int], fit: Fit) -> NDArray[Any]:
    """Resizes an array `(H, W, C)` as `resize` does pictures, each channel by itself, to `(C, *size)`.

    Whole numbers are rounded once; at its own size an array stays what it is.
    """
    if values.shape[:2] == size:
        return values.transpose(2, 0, 1)
    planes = [
        np.asarray(resize(Image.fromarray(np.ascontiguousarray(plane, np.float32)), size, fit))
        for plane in values.transpose(2, 0, 1)
    ]
    found = np.stack(planes)
    if values.dtype.kind in "ui":
        limits = np.iinfo(values.dtype)
        found = np.rint(found).clip(limits.min, limits.max)
    return found.astype(values.dtype)


def _count(channels: int) -> str:
    return f"{channels} channel" + "s" * (channels > 1)
