"""Pictures in arrays, resized and converted when they are fetched, and the base of their sources.

Arrays of bytes are images of 8 bits, as a folder of PNG files would be; others are numbers, as a folder of
`.npy` files would be, and share their range, type and resizing.
"""

import os
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from experiments.core.units import PixelUnits, value_bytes
from experiments.data.core.array_files import (
    ArrayKind,
    are_channels_first,
    decide_type,
    describe_not_finite,
)
from experiments.data.core.array_pictures import resize_array
from experiments.data.core.class_labels import ClassLabels
from experiments.data.core.conversion import convert, resize
from experiments.data.core.dataset import DataSet, Fit, Kind, Native, NoHeldOutDataError, Source
from experiments.data.core.image_files import HELD_BYTES
from experiments.data.core.image_source import ImageFileOptions
from experiments.data.core.memory import memory_for_data
from experiments.data.core.pixels import check_shape, check_size
from experiments.data.core.value_surveys import (
    ArrayPictures,
    find_units,
    remark_on_view,
    remarks_on_values,
)
from losses.core.options import option

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with alpha
TYPES = "save it as uint8, uint16 or float32"


@dataclass(frozen=True)
class ArrayOptions(ImageFileOptions):
    """Options of sources of arrays."""

    label: str | None = option(
        None, "Array with the label of each picture: its name in a .npz, or else a file; default: found."
    )


@dataclass(frozen=True)
class PictureArray(ArrayPictures):
    """Pictures in one array, of which nothing is copied until it is read.

    Args:
        name: of the array, for messages.
        values: `(N, H, W, C)`, numbers.
        type: in which they are held: "uint8" for images of 8 bits, else "uint16" or "float32".
    """

    name: str
    values: NDArray[Any]
    type: str = "uint8"

    def __len__(self) -> int:
        return len(self.values)

    def name_of(self, index: int) -> str:
        return f"picture {index} (from 0) of {self.name}"

    def read(self, index: int) -> NDArray[Any]:
        """Reads a picture `(H, W, C)` of numbers. Raises ValueError for values that are not finite."""
        values = self.values[index]
        if wrong := describe_not_finite(values):
            raise ValueError(
                f"{self.name_of(index)} cannot be taken: {wrong}; fill them in, by numpy.nan_to_num, or save "
                "the array without that picture, by numpy.delete"
            )
        return values

    def in_type(self, wanted: str, other: str) -> "PictureArray":
        """These pictures in the type of those of an array called `other`.

        Raises ValueError for a type that cannot hold them.
        """
        if wanted not in (self.type, "float32"):
            raise ValueError(
                f"{self.name} has values of type {self.values.dtype}, and {other} is held as {wanted}: save "
                "both in one type, or take --set data.depth=float32"
            )
        return replace(self, type=wanted)


class LabelledPictures(NamedTuple):
    """Pictures in an array, with their classes, and remarks on how they were found."""

    pictures: PictureArray
    classes: ClassLabels = ClassLabels()
    remarks: tuple[str, ...] = ()


def as_pictures(name: str, array: NDArray[Any], options: ArrayOptions) -> PictureArray:
    """Pictures `(N, H, W, C)` in an array `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`.

    Raises ValueError, with `name`, for what is no numbers, for a type that cannot hold them, and for other
    shapes, those that may be read in two ways included.
    """
    kind = array.dtype.name
    if array.dtype.kind not in "uif":
        raise ValueError(f"{name} is of {kind}, and pictures are real numbers: {TYPES}")
    shape = f"{name} is {array.shape}"
    if not array.size:
        raise ValueError(f"{shape}: it is empty")
    try:
        _, chosen = decide_type(ArrayKind(kind, is_array=True), options.depth, bool(options.range))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if array.ndim == 3:
        if array.shape[2] in CHANNELS:
            raise ValueError(f"{shape}, which looks like one picture: save it as (N, H, W, C)")
        return PictureArray(name, array[..., None], chosen)
    if array.ndim != 4:
        raise ValueError(f"{shape}, no pictures (N, H, W), (N, H, W, C) or (N, C, H, W): reshape it")
    first, last = array.shape[1] in CHANNELS, array.shape[3] in CHANNELS
    if first and last and array.shape[1] != array.shape[3]:
        raise ValueError(f"{shape}, of which either side may be channels: save it as (N, H, W)")
    if chosen == "uint8" and not (first or last):
        raise ValueError(
            f"{shape}, and pictures of 8 bits have 1, 3 or 4 channels, first or last: reshape it, or take "
            "--set data.depth=float32 for numbers of any channels"
        )
    comes_first = not last if chosen == "uint8" else are_channels_first(array.shape[1:])
    return PictureArray(name, array.transpose(0, 2, 3, 1) if comes_first else array, chosen)


class ArrayImages(DataSet):
    """Data set of pictures in an array, brought to a size when they are fetched, on all cores.

    Args:
        pictures: of which nothing is copied until it is fetched.
        size: (height, width) of the samples; channels: 1 grey, 3 RGB, 4 RGB with straight alpha; of numbers
            those that they have.
        fit: how they are brought to `size`.
        units: of numbers; None for 8 bits.
    """

    def __init__(
        self,
        pictures: PictureArray,
        size: tuple[int, int],
        channels: int,
        fit: Fit,
        units: PixelUnits | None = None,
    ) -> None:
        self.pictures, self.fit, self.units = pictures, fit, units
        self.sample_shape = (channels, *size)
        self._is_native = units is None and pictures.values.shape[1:] == (*size, channels)
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="gans-decode")

    def __len__(self) -> int:
        return len(self.pictures)

    def fetch(self, indices: Tensor) -> Tensor:
        """Fetches samples at `indices`, from any thread. Raises ValueError for values that are not finite."""
        chosen = indices.tolist()
        if self._is_native:
            return torch.from_numpy(np.ascontiguousarray(self.pictures.values[chosen].transpose(0, 3, 1, 2)))
        samples = np.empty((len(chosen), *self.sample_shape), self.pictures.type)
        draw_one = self._drawn if self.units is None else self._resized

        def draw(slot: int) -> None:
            samples[slot] = draw_one(chosen[slot])

        list(self._pool.map(draw, range(len(chosen))))  # raises what one of them does
        return torch.from_numpy(samples)

    def _drawn(self, index: int) -> NDArray[np.uint8]:
        """Brings one picture of 8 bits to the shape of the samples, as an image file would be."""
        pixels = self.pictures.values[index]
        channels, height, width = self.sample_shape
        image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
        resized = np.asarray(resize(convert(image, channels), (height, width), self.fit))
        return resized.reshape(height, width, channels).transpose(2, 0, 1)

    def _resized(self, index: int) -> NDArray[Any]:
        """Brings one picture of numbers to the size of the samples, as a file of numbers would be."""
        _, height, width = self.sample_shape
        values = self.pictures.read(index).astype(self.pictures.type, copy=False)
        return resize_array(values, (height, width), self.fit)


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

    @cached_property
    def _units(self) -> PixelUnits | None:
        """The units of pictures that are numbers; None for 8 bits."""
        pictures = self._found.pictures
        if pictures.type == "uint8":
            return None
        return find_units(
            self.location, pictures, self.options.range, pictures.type, lambda: pictures.values.shape[3]
        )

    def found_options(self) -> Any:
        found = self.options if self._units is None else replace(self.options, range=self._units.range)
        return replace(found, depth=self._found.pictures.type)

    def native(self) -> Native:
        shape = self._found.pictures.values.shape
        return Native((shape[1], shape[2]), shape[3])

    def class_names(self) -> tuple[str, ...]:
        return self._found.classes.names

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the pictures at `size`: mapped, or for memory to hold where they fit into it."""
        data = self._open(self._found, size, channels, fit)
        if self._units is not None:
            data.remarks += remarks_on_values(self._found.pictures, self._units)
            data.remarks += remark_on_view(data.sample_shape[0])
        elif self.options.range:
            data.remarks += ("has 8 bits, as --set data.depth=uint8 asks, so data.range changes nothing",)
        return data

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        found = self.read_held_out()
        if found is None:
            raise NoHeldOutDataError(f"{self.location} holds no pictures out from training")
        training = self._found.pictures
        found = found._replace(pictures=found.pictures.in_type(training.type, training.name))
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
        pictures = found.pictures
        _, height, width, own = pictures.values.shape
        size, channels = size or (height, width), channels or own
        if self._units is None:
            check_shape(self.location, (height, width), size, channels, fit)
        else:
            check_size(self.location, (height, width), size, fit)
            if channels != own:
                raise ValueError(f"{pictures.name} has {own} channels, not {channels}: take --channels {own}")
        data = ArrayImages(pictures, size, channels, fit, self._units)
        data.labels, data.classes = found.classes
        data.remarks = found.remarks
        most = min(HELD_BYTES, memory_for_data(torch.device("cpu")))
        all_bytes = len(data) * prod(data.sample_shape) * value_bytes(data.units)
        data.on_demand = self.access.stream or all_bytes > most
        return data
