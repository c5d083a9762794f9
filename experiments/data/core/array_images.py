"""Pictures in arrays, resized and converted when they are fetched, and the base of their sources."""

import os
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from experiments.data.core.class_labels import ClassLabels
from experiments.data.core.conversion import convert, resize
from experiments.data.core.dataset import DataSet, Fit, Kind, Native, NoHeldOutDataError, Source
from experiments.data.core.image_files import HELD_BYTES
from experiments.data.core.memory import memory_for_data
from experiments.data.core.pixels import check_shape
from losses.core.options import option

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with alpha


@dataclass(frozen=True)
class ArrayOptions:
    """Options of sources of arrays."""

    label: str | None = option(
        None, "Array with the label of each picture: its name in a .npz, or else a file; default: found."
    )


class LabelledPictures(NamedTuple):
    """Pictures `(N, H, W, C)`, with their classes, and remarks on how they were found."""

    pictures: NDArray[np.uint8]
    classes: ClassLabels = ClassLabels()
    remarks: tuple[str, ...] = ()


def as_pictures(name: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    """A view `(N, H, W, C)` of an array `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)` of bytes.

    Raises ValueError, with `name`, for other types and shapes, those that may be read in two ways included.
    """
    shape = f"{name} is {array.shape}"
    if array.dtype != np.uint8:
        raise ValueError(f"{name} is of {array.dtype}, not of pictures in 8 bits: save it as uint8, 0 to 255")
    if not array.size:
        raise ValueError(f"{shape}: it is empty")
    if array.ndim == 3:
        if array.shape[2] in CHANNELS:
            raise ValueError(f"{shape}, which looks like one picture: save it as (N, H, W, C)")
        return array[..., None]
    if array.ndim != 4:
        raise ValueError(f"{shape}, no pictures (N, H, W), (N, H, W, C) or (N, C, H, W): reshape it")
    first, last = array.shape[1] in CHANNELS, array.shape[3] in CHANNELS
    if first and last and array.shape[1] != array.shape[3]:
        raise ValueError(f"{shape}, of which either side may be channels: save it as (N, H, W)")
    if not (first or last):
        raise ValueError(f"{shape}, and pictures have 1, 3 or 4 channels, first or last: reshape it")
    return array if last else array.transpose(0, 2, 3, 1)


class ArrayImages(DataSet):
    """Data set of pictures in an array, brought to a size when they are fetched, on all cores.

    Args:
        pictures: uint8 `(N, H, W, C)`, of which nothing is copied until it is fetched.
        size: (height, width) of the samples; channels: 1 grey, 3 RGB, 4 RGB with straight alpha.
        fit: how they are brought to `size`.
    """

    def __init__(self, pictures: NDArray[np.uint8], size: tuple[int, int], channels: int, fit: Fit) -> None:
        self.pictures, self.fit = pictures, fit
        self.sample_shape = (channels, *size)
        self._is_native = pictures.shape[1:] == (*size, channels)
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="gans-decode")

    def __len__(self) -> int:
        return len(self.pictures)

    def fetch(self, indices: Tensor) -> Tensor:
        """Fetches samples at `indices`, from any thread."""
        chosen = indices.tolist()
        if self._is_native:
            return torch.from_numpy(np.ascontiguousarray(self.pictures[chosen].transpose(0, 3, 1, 2)))
        samples = np.empty((len(chosen), *self.sample_shape), dtype=np.uint8)

        def draw(slot: int) -> None:
            samples[slot] = self._drawn(self.pictures[chosen[slot]])

        list(self._pool.map(draw, range(len(chosen))))  # raises what one of them does
        return torch.from_numpy(samples)

    def _drawn(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Brings one picture `(H, W, C)` to the shape of the samples, as an image file would be."""
        channels, height, width = self.sample_shape
        image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
        resized = np.asarray(resize(convert(image, channels), (height, width), self.fit))
        return resized.reshape(height, width, channels).transpose(2, 0, 1)


class ArraySource(Source, ABC):
    """Source of pictures of one size in an array."""

    kind: ClassVar[Kind] = "images"
    options_type: ClassVar[type] = ArrayOptions

    @property
    @abstractmethod
    def location(self) -> str:
        """The name of the file, for messages."""

    @abstractmethod
    def read(self) -> LabelledPictures:
        """Reads the pictures to train on, with their classes."""

    @abstractmethod
    def read_held_out(self) -> LabelledPictures | None:
        """Reads pictures that are held out from training; None where there are none."""

    @cached_property
    def _found(self) -> LabelledPictures:
        return self.read()

    def native(self) -> Native:
        shape = self._found.pictures.shape
        return Native((shape[1], shape[2]), shape[3])

    def class_names(self) -> tuple[str, ...]:
        return self._found.classes.names

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the pictures at `size`: mapped, or for memory to hold where they fit into it."""
        return self._open(self._found, size, channels, fit)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        found = self.read_held_out()
        if found is None:
            raise NoHeldOutDataError(f"{self.location} holds no pictures out from training")
        names = found.classes.names
        if not set(names) <= set(self.class_names()):
            found = found._replace(classes=ClassLabels())
        elif found.classes.labels is not None:
            places = torch.tensor([self.class_names().index(name) for name in names])
            found = found._replace(classes=ClassLabels(places[found.classes.labels], self.class_names()))
        return self._open(found, size, channels, fit)

    def _open(
        self, found: LabelledPictures, size: tuple[int, int] | None, channels: int | None, fit: Fit
    ) -> DataSet:
        _, height, width, own = found.pictures.shape
        size, channels = size or (height, width), channels or own
        check_shape(self.location, (height, width), size, channels, fit)
        data = ArrayImages(found.pictures, size, channels, fit)
        data.labels, data.classes = found.classes
        data.remarks = found.remarks
        most = min(HELD_BYTES, memory_for_data(torch.device("cpu")))
        data.on_demand = self.access.stream or len(data) * channels * size[0] * size[1] > most
        return data
