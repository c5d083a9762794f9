"""The base of sources of encoded images in a store, whatever lists them and their classes."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from experiments.data.core.arrangement import Arrangement
from experiments.data.core.array_files import ArrayKind, decide_type, find_kind
from experiments.data.core.dataset import (
    AttributeGroup,
    Attributes,
    DataSet,
    Fit,
    Kind,
    Native,
    Source,
)
from experiments.data.core.decoding import Store, UnreadableError
from experiments.data.core.image_files import add_remarks, open_images
from experiments.data.core.picture_options import (
    AUTO,
    IDLE_RANGE,
    UNSTATED,
    ImageFileOptions,
    ValueRange,
    check_range,
    is_by_channel,
    is_found_in_data,
    is_open_range,
    range_words,
)
from experiments.data.core.sixteen_bits import WHOLE_RANGE
from experiments.data.core.surveys import (
    Survey,
    check_channels,
    native_of,
    remark_on_cut,
    remark_on_kinds,
    survey_headers,
)
from experiments.data.core.surveys_of_bits import find_range, remarks_on_bits
from experiments.data.core.training_part import keep_readable, training_part
from experiments.data.core.value_surveys import (
    FilePictures,
    find_units,
    find_values_range,
    remark_on_view,
    remarks_on_values,
)

S = TypeVar("S", bound=Store)
log = logging.getLogger("gans")


class StoredImageSource(Source, ABC):
    """Source of encoded images in a store: how their values are held, and what is remarked on."""

    kind: ClassVar[Kind] = "images"
    options_type: ClassVar[type] = ImageFileOptions
    _is_scaled = False

    @property
    @abstractmethod
    def location(self) -> str:
        """The name of the folder or file that holds all, for messages."""

    @property
    @abstractmethod
    def store(self) -> Store:
        """The store of the files."""

    @property
    @abstractmethod
    def arrangement(self) -> Arrangement:
        """The images to train on, and those that are held out."""

    @property
    @abstractmethod
    def held_out_arrangement(self) -> Arrangement:
        """The images that are held out. Raises NoHeldOutDataError where there are none."""

    @property
    @abstractmethod
    def attributes(self) -> Attributes | None:
        """Attributes of the images to train on; None without any."""

    @property
    @abstractmethod
    def remarks_on_others(self) -> tuple[str, ...]:
        """Remarks on what else is in the store."""

    @abstractmethod
    def classes_of(self, found: Arrangement) -> tuple[Tensor | None, Sequence[str]]:
        """The class of each image, int64 `(N,)`, None without classes, and the names of the classes."""

    def set_value_range(self, store: S) -> S:
        """Sets the range of 16-bit values of `store` to that of the options, in place; returns `store`.

        Raises ValueError for an empty range.
        """
        asked = self.options.range
        if asked and not is_found_in_data(asked):  # else `scaled_store` finds it, when the images are known
            ends = check_range(asked)
            if not is_by_channel(asked):
                store.value_range = ends  # type: ignore[assignment]  # only images of 16 bits have it
        return store

    @cached_property
    def typed_store(self) -> Store:
        """The store of the files, with the type in which their values are held.

        Raises ValueError for a type that cannot hold the values of the first file.
        """
        kind, asked = self._first_kind, self.options.depth
        self.store.holds_arrays, self.store.array_type = decide_type(kind, asked, bool(self.options.range))
        return self.store

    def scaled_store(self, paired: bool | None = None) -> Store:
        """The store of the files, with the range of values found where the options leave it to the images.

        It is found once, in the images for training alone.

        Args:
            paired: as that of `found_options`.
        """
        if not self._is_scaled:
            self._scale(paired)
            self._is_scaled = True
        return self.store

    def _scale(self, paired: bool | None) -> None:
        store, asked = self.typed_store, self.options.range
        is_open = is_found_in_data(asked)
        if store.array_type != "uint8":
            names = self.training_names(paired) if is_open_range(asked) else self.arrangement.names
            pictures = FilePictures(store, names)
            store.units = find_units(
                self.location, pictures, asked, store.array_type, lambda: self.native().channels
            )
        elif is_by_channel(asked):
            raise ValueError(
                f"data.range={range_words(asked)} has a range for each channel, and images of 8 bits have "
                "one for all; --set data.depth=float32 takes images of 8 bits as numbers"
            )
        elif is_open and not store.holds_arrays:
            self._scale_to_8_bits(asked, self.training_names(paired))

    def _scale_to_8_bits(self, asked: ValueRange | str, names: Sequence[str]) -> None:
        """Finds the range of images of 16 bits that are brought to 8."""
        store = self.store
        extremes = find_range(store, names)
        if extremes is not None and asked != AUTO:
            low, high = find_values_range(FilePictures(store, names), asked)
            extremes = round(low), round(high)
            if extremes[0] == extremes[1]:  # of percentiles between two whole numbers
                extremes = math.floor(low), math.ceil(high)
        store.value_range = extremes or WHOLE_RANGE
        words = range_words(asked)
        (low, high), why = store.value_range, "the extremes of the training images"
        if extremes is None:
            why = "no image has different values of 16 bits"
        elif asked != AUTO:
            why = "of the training images"
        log.info(f"{self.location}: data.range={words} is {low},{high}, {why}")

    def training_names(self, paired: bool | None) -> Sequence[str]:
        """The images for training, without a share that is held out from these.

        Args:
            paired: as that of `found_options`.
        """
        del paired
        names = self.arrangement.names
        if self.holdout_split is None:
            return names
        return training_part(keep_readable(self.typed_store, names, self.access), self.holdout_split)

    @cached_property
    def _first_kind(self) -> ArrayKind:
        """The content of the first file that can be read."""
        for name in self.arrangement.names:
            try:
                return find_kind(self.store, name)
            except UnreadableError:
                if not self.access.skip_bad:
                    raise
        return ArrayKind("uint8", is_array=False)

    def found_options(self, paired: bool | None = None) -> Any:
        store = self.scaled_store(paired)
        value_range = store.value_range if store.units is None else store.units.range
        return replace(self.options, range=value_range, depth=store.array_type)

    def found_option_remarks(self) -> Mapping[str, str]:
        is_unstated = self.options.range == UNSTATED and self.scaled_store().units is None
        return {"range": "of images of 16 bits, if any"} if is_unstated else {}

    def native(self) -> Native:
        """The native shape: any size; the channels of the images, RGB where they differ in these."""
        return self.native_of(self.arrangement.names)

    def native_of(self, names: Sequence[str]) -> Native:
        """The native shape of some of the images."""
        return native_of(self._survey(names))

    def class_names(self) -> Sequence[str]:
        return self._classes[1]

    def attribute_groups(self) -> Sequence[AttributeGroup]:
        known = self.attributes
        return super().attribute_groups() if known is None else known.groups

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the training images at `size`, as `open_images` does."""
        found, (labels, classes) = self.arrangement, self._classes
        channels = channels or self.native().channels
        self.check_channels(found.names, channels)
        known = self.attributes
        data = open_images(
            self.scaled_store(), found.names, size, channels, fit, self.access, labels, classes, known
        )
        add_remarks(data, (*found.remarks, *self.store.remarks, *self.remarks_on_others))
        self.remark_on(data, found.names, fit)
        return data

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the images of the part for tests, as `open_images` does, with the classes of the others.

        They have no labels where they show other classes.
        """
        found = self.held_out_arrangement
        names, channels = found.names, channels or self.native().channels
        labels, classes = self.classes_of(found)
        known = self._classes[1]
        if labels is None or not set(classes) <= set(known):
            return open_images(self.scaled_store(), names, size, channels, fit, self.access)
        labels = torch.tensor([known.index(name) for name in classes])[labels]
        return open_images(self.scaled_store(), names, size, channels, fit, self.access, labels, known)

    def check_channels(self, names: Sequence[str], channels: int | None) -> None:
        """Checks that arrays of numbers have as many channels as are asked for, and each as many as others.

        Nothing brings them to others, as grey and colours are to each other. Raises ValueError.
        """
        if self.typed_store.holds_arrays:
            check_channels(self.store, self._survey(names), channels)

    def remark_on(
        self,
        data: DataSet,
        names: Sequence[str],
        fit: Fit,
        shows_pairs: bool = False,
        message_prefix: str = "",
    ) -> Survey:
        """Adds remarks to `data`, opened from `names`, on what it mixes and what is cut off, and its sizes.

        Args:
            shows_pairs: whether each file shows a pair of images side by side, of which `data` has one.
            message_prefix: words before each remark.

        Returns the survey of their headers.
        """
        survey = self._survey(names)
        if data.unreadable:
            survey = survey.without(set(data.unreadable))
        if shows_pairs and survey.first:
            survey = survey.halved()
        data.native_sizes = survey.sizes
        channels, height, width = data.sample_shape
        store, remarks = self.scaled_store(), remark_on_cut(survey, (height, width), fit)
        if store.holds_arrays:
            remarks += remarks_on_values(FilePictures(store, names), store.units) + remark_on_view(channels)
            if store.units is None and self.options.range:
                remarks += (IDLE_RANGE,)
        else:
            remarks = remark_on_kinds(survey, channels) + remarks + remarks_on_bits(store, names, channels)
        add_remarks(data, [message_prefix + remark for remark in remarks])
        return survey

    def _survey(self, names: Sequence[str]) -> Survey:
        """Surveys the headers of some images, once."""
        key = tuple(names)
        if key not in self._surveys:
            self._surveys[key] = survey_headers(self.typed_store, names, self.access.skip_bad)
        return self._surveys[key]

    @cached_property
    def _surveys(self) -> dict[tuple[str, ...], Survey]:
        return {}

    @cached_property
    def _classes(self) -> tuple[Tensor | None, Sequence[str]]:
        return self.classes_of(self.arrangement)
