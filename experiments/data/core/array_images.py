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
from experiments.core.word_lists import first_few
from experiments.data.core.array_pictures import resize_array
from experiments.data.core.class_labels import ClassLabels, remark_on_lost_classes
from experiments.data.core.conversion import convert, resize
from experiments.data.core.dataset import DataSet, Fit, Kind, Native, NoHeldOutDataError, Source
from experiments.data.core.image_files import HELD_BYTES, NAMED
from experiments.data.core.memory import memory_for_data
from experiments.data.core.picture_options import IDLE_RANGE, ImageFileOptions, is_open_range
from experiments.data.core.picture_rows import PictureRows
from experiments.data.core.pixels import check_shape, check_size
from experiments.data.core.value_surveys import (
    find_units,
    remark_on_constants,
    remark_on_view,
    remarks_on_values,
)
from losses.core.options import option


@dataclass(frozen=True)
class ArrayOptions(ImageFileOptions):
    """Options of sources of arrays."""

    label: str | None = option(
        None,
        "Array with the label of each picture: its name in a .npz, or else a file; default: found; "
        "data.label=nothing leaves labels out.",
    )


class LabelledPictures(NamedTuple):
    """Pictures in an array, with their classes, and remarks on how they were found."""

    pictures: PictureRows
    classes: ClassLabels = ClassLabels()
    remarks: tuple[str, ...] = ()


def count_labels(labels: NDArray[Any]) -> str:
    """Says how many labels an array has."""
    return f"{len(labels):,} labels" if labels.ndim else "a single number, no labels"


class ArrayDataSet(DataSet):
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
        pictures: PictureRows,
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
        return resize_array(self.pictures.read(index), (height, width), self.fit)


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
        return self._without_bad(self.read())

    def _without_bad(self, found: LabelledPictures) -> LabelledPictures:
        """Leaves out pictures that cannot be taken, where the access says so, with a remark."""
        if not self.access.skip_bad:
            return found
        pictures, bad = found.pictures.without_bad()
        if pictures.kept is None:
            return found
        named, count = first_few(bad, NAMED), len(pictures.values)
        remark = f"skipped {len(bad)} of {count:,} pictures, with values not finite or too large: {named}"
        labels, names = found.classes
        remarks = (*found.remarks, remark)
        if labels is not None:
            kept = labels[torch.tensor(pictures.kept)]
            remarks += remark_on_lost_classes(labels, kept, names)
            labels = kept
        return LabelledPictures(pictures, ClassLabels(labels, names), remarks)

    @cached_property
    def _units(self) -> PixelUnits | None:
        """The units of pictures that are numbers; None for 8 bits."""
        pictures = self._found.pictures
        if pictures.type == "uint8":
            return None
        channels = pictures.values.shape[3]
        if self.holdout_split is not None and is_open_range(self.options.range):
            training, _ = self.holdout_split(len(pictures), "")
            pictures = pictures.at(training.tolist())
        return find_units(
            self.location, pictures.as_in_file(), self.options.range, pictures.type, lambda: channels
        )

    def found_options(self, paired: bool | None = None) -> Any:
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
            data.remarks += remarks_on_values(self._found.pictures.as_in_file(), self._units)
            data.remarks += remark_on_view(data.sample_shape[0])
        else:
            data.remarks += self._remark_on_constants(data.sample_shape[0])
            data.remarks += (IDLE_RANGE,) if self.options.range else ()
        return data

    def _remark_on_constants(self, channels: int) -> tuple[str, ...]:
        """Makes a remark on channels that are constant in pictures of 8 bits, at their own size."""
        pictures = self._found.pictures
        native = ArrayDataSet(pictures, pictures.values.shape[1:3], channels, "crop")
        return remark_on_constants(
            len(native), lambda index: native.fetch(torch.tensor([index]))[0].permute(1, 2, 0).numpy()
        )

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        found = self.read_held_out()
        if found is None:
            raise NoHeldOutDataError(f"{self.location} holds no pictures out from training")
        training, found = self._found.pictures, self._without_bad(found)
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
                raise ValueError(
                    f"{pictures.name} has {own} channels, not {channels}: save all with as many, or take "
                    f"--channels {own}"
                )
        data = ArrayDataSet(pictures, size, channels, fit, self._units)
        data.labels, data.classes = found.classes
        data.remarks = found.remarks
        most = min(HELD_BYTES, memory_for_data(torch.device("cpu")))
        all_bytes = len(data) * prod(data.sample_shape) * value_bytes(data.units)
        data.on_demand = self.access.stream or all_bytes > most
        if not data.on_demand:  # all of it will be read anyway, and a dry run is to refuse what a run would
            pictures.check()
        return data
