"""The contract of data: sources, named by the word after `--data`, and the data sets that they open.

A source is asked for its native shape first (cheaply) and opened afterwards, when the settings are
resolved. What it opens is a `DataSet`: finite, ordered, fetched by index, so that the order of training
can be a function of (seed, epoch) and any step is reached without replaying.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from experiments.core.named_values import SettingValues
from experiments.core.units import PixelUnits
from experiments.data.core.fingerprint import DataFingerprint
from gans.core.attributes import AttributeGroup as AttributeGroup
from gans.core.attributes import Attributes as Attributes

Kind = Literal["images", "points"]
# How images of other sizes are brought to the size asked for. "auto" crops, but refuses a set whose own
# files differ in size; "pad" keeps the whole image, in a border that is black, with alpha
# transparent; "error" refuses any other size than the one asked for.
Fit = Literal["auto", "crop", "pad", "stretch", "error"]
# Splits a count of samples, with a word that draws another split, into indices: for training, and held out.
Split = Callable[[int, str], tuple[Tensor, Tensor]]
# Small pictures in small chunks take longer to be asked for than to be drawn: 50,000 shapes of 8 pixels took
# 2.4 seconds in chunks of 64, and 0.15 in these.
LEAST_CHUNK, CHUNK_VALUES = 64, 3 * 2**18


class DataSet(ABC):
    """A data set: N samples in a fixed order, fetched by index.

    Attributes:
        sample_shape: `(C, H, W)` for images, `(2,)` for points in the plane.
        labels: class of every sample, int64 `(N,)`, or None without classes.
        classes: names of the classes, in the order of the labels; empty without classes.
        channel_classes: names of the classes that each channel shows by itself; empty where channels are
            colours.
        mixture: the centres `(M, 2)` and the standard deviation of the round, equally likely Gaussians that
            points are drawn from, if their modes can be told apart.
        attributes: attributes of every sample beside its class; None without attributes.
        units: of images beyond 8 bits: which of their values become −1 and 1; None for 8 bits and for points.
        native_sizes: number of files by the (height, width) of their images before these were resized, evenly
            spread over the set where it is large; None where that is not known.
        held_out_count: number of samples that a share (`--holdout`) keeps out of this set.
        remarks: remarks for the user on how the set was read, a line each.
        unreadable: names of files that were left out because they cannot be read.
        file_names: of every sample, the name of the file that it is from; empty where it is from none of its
            own.
        on_demand: whether samples are to be fetched when they are wanted, although memory would hold all.
        training_fingerprint: of samples that a share holds out: the fingerprint of those that are left for
            training; None for others.
    """

    sample_shape: tuple[int, ...]
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    channel_classes: tuple[str, ...] = ()
    mixture: tuple[Tensor, float] | None = None
    attributes: Attributes | None = None
    units: PixelUnits | None = None
    native_sizes: Mapping[tuple[int, int], int] | None = None
    held_out_count: int = 0
    remarks: tuple[str, ...] = ()
    unreadable: Sequence[str] = ()
    file_names: Sequence[str] = ()
    on_demand: bool = False
    training_fingerprint: DataFingerprint | None = None

    @property
    def is_images(self) -> bool:
        """Whether samples are images; else they are points."""
        return len(self.sample_shape) == 3

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def fetch(self, indices: Tensor) -> Tensor:
        """Fetches samples at `indices` (int64, `(B,)`): images `(B, C, H, W)`, or float32 points `(B, 2)`.

        Images are uint8, or with `units` values of their depth.
        """

    def copy_description(self, whole: "DataSet", indices: Tensor | None = None) -> None:
        """Copies what is known of another set, whose samples these are.

        Args:
            indices: of those of its samples that this set has, int64 `(M,)`; None: it has all.
        """
        labels, attributes, names = whole.labels, whole.attributes, whole.file_names
        if indices is not None:
            labels = None if labels is None else labels[indices]
            attributes = None if attributes is None else attributes.at(indices)
            names = [names[index] for index in indices.tolist()] if names else ()
        self.labels, self.attributes, self.file_names = labels, attributes, names
        self.classes, self.channel_classes, self.mixture = whole.classes, whole.channel_classes, whole.mixture
        self.units, self.native_sizes = whole.units, whole.native_sizes
        self.remarks, self.unreadable = whole.remarks, whole.unreadable
        self.held_out_count, self.training_fingerprint = whole.held_out_count, whole.training_fingerprint


class InMemoryData(DataSet):
    """A data set in memory, on whichever device it fits."""

    def __init__(self, samples: Tensor, labels: Tensor | None = None, classes: Sequence[str] = ()) -> None:
        self.samples = samples
        self.sample_shape = tuple(samples.shape[1:])
        self.labels = labels
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return len(self.samples)

    def fetch(self, indices: Tensor) -> Tensor:
        return self.samples[indices.to(self.samples.device)]


class KnownChanges(DataSet, ABC):
    """A data set that knows its samples under other attributes, and has held-out samples.

    So translations can be compared with the truth.
    """

    @abstractmethod
    def fetch_with(self, indices: Tensor, rows: Tensor) -> Tensor:
        """Fetches samples at `indices` as they would be with the attributes of `rows` `(B, D)`."""

    @abstractmethod
    def held_out(self) -> "KnownChanges":
        """A data set of further samples for evaluation; none of them is in this set."""


class NoHeldOutDataError(ValueError):
    """Error of a source that holds no samples out from training; its message says how to add some."""


class TooFewHeldOutError(NoHeldOutDataError):
    """Error of a source that holds fewer samples out than a score needs; its message says how many do."""


def load_into_memory(data: DataSet, device: torch.device, chunk: int | None = None) -> InMemoryData:
    """Loads all of `data` into one tensor on `device`.

    Args:
        chunk: samples that are fetched at once; None: as many as stay in the processor's cache.
    """
    if isinstance(data, InMemoryData):
        samples = data.samples.to(device)
    else:
        chunk = chunk or max(LEAST_CHUNK, CHUNK_VALUES // prod(data.sample_shape))
        parts = torch.split(torch.arange(len(data)), chunk)
        first = data.fetch(parts[0])
        samples = first.new_empty(len(data), *first.shape[1:], device=device)
        for part in parts:  # into their place: joined afterwards they would take their memory twice
            samples[part[0] : part[-1] + 1] = data.fetch(part)
    held = InMemoryData(samples)
    held.copy_description(data)
    return held


def attributes_of(data: DataSet) -> Attributes:
    """The attributes of a data set, or else its classes as its only attribute, called `class`.

    Raises ValueError for data without either, and for a class that no sample has.
    """
    if data.attributes is not None:
        return data.attributes
    if data.labels is None:
        raise ValueError(
            "the data has neither attributes nor classes: put its images into a folder for each class, "
            "or an attributes.csv beside them"
        )
    group = AttributeGroup("class", tuple(data.classes))
    return Attributes((group,), group.encode(data.labels)).check_all_used()


@dataclass(frozen=True)
class Domains:
    """Two sets of images, the domains A and B, between which a generator translates.

    Attributes:
        a, b: the sets.
        names: names of the two domains.
        paired: whether sample i of `a` and sample i of `b` are a pair; else nothing joins them.
    """

    a: DataSet
    b: DataSet
    names: tuple[str, str] = ("A", "B")
    paired: bool = False

    def __post_init__(self) -> None:
        if self.paired and len(self.a) != len(self.b):
            raise ValueError(f"{len(self.a)} and {len(self.b)} images are no pairs")


@dataclass(frozen=True)
class DataAccess:
    """Access of a source to its files: folders, download, caching and damaged files.

    Attributes:
        root: folder where sets are looked for first, and downloaded into; None for the usual places only.
        download: whether a set that is found nowhere may be downloaded.
        skip_bad: whether files that cannot be read are left out and counted, instead of refused.
        stream: whether image files stay on disk, and are read when they are wanted, however few they are.
        options: of the source, by key (`data.sigma`).
        holdout: share of the samples that is kept out of training, in (0, 1); None for those that the source
            itself holds out, if any.
        holdout_seed: seed of the choice of these.
        keeps_decoded: whether decoded images are kept in the cache folder.
    """

    root: Path | None = None
    download: bool = False
    skip_bad: bool = False
    stream: bool = False
    options: SettingValues = field(default_factory=dict, hash=False)
    holdout: float | None = None
    holdout_seed: int = 0
    keeps_decoded: bool = True


USUAL = DataAccess()


@dataclass(frozen=True)
class Native:
    """The native shape of a source; None where it takes any.

    Attributes:
        size: (height, width).
        channels: 1 grey, 3 RGB, 4 RGBA, or any other number.
        first: the size of its first sample, where samples may differ.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    first: tuple[int, int] | None = None


class Source(ABC):
    """A source of data; the part of the data spec after the colon is its argument (`folder:PATH`).

    Raises ValueError, with one line that names the offender and the remedy, when the argument or what it
    points to cannot be used.

    Attributes:
        kind: the kind of its samples, images or points.
        is_embedded: whether it needs no files.
        takes_spec: whether its argument is the spec of another source.
        holds_out_within: whether it applies `--holdout` to that source itself, because its own samples are
            made of that one's and would share them.
        options_type: dataclass of its options; None for a source without.
        options: an instance of that type, set before anything is asked of the source.
        holdout_split: splits the samples where a share is held out (`--holdout`): options that are left to
            the data are found among those for training. None: all are for training.
    """

    kind: ClassVar[Kind]
    is_embedded: ClassVar[bool] = False
    takes_spec: ClassVar[bool] = False
    holds_out_within: ClassVar[bool] = False
    options_type: ClassVar[type | None] = None
    holdout_split: Split | None = None

    def __init__(self, argument: str = "", access: DataAccess = USUAL) -> None:
        self.argument = argument
        self.access = access
        self.options: Any = None if self.options_type is None else self.options_type()

    @classmethod
    def absolute_argument(cls, argument: str) -> str:
        """Makes a path in the argument absolute, so that a run goes on from any folder."""
        return str(Path(argument).absolute()) if Path(argument).exists() else argument

    @abstractmethod
    def native(self) -> Native:
        """The native shape of the samples, found without reading them all."""

    @abstractmethod
    def class_names(self) -> Sequence[str]:
        """Names of the classes, found without reading the samples; empty without labels."""

    def attribute_groups(self) -> Sequence[AttributeGroup]:
        """Attributes of the samples, found without reading the samples: by default the class."""
        names = self.class_names()
        return [AttributeGroup("class", tuple(names))] if names else []

    @abstractmethod
    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the data at `size` (height, width) with `channels`; both are None for points."""

    def found_options(self, paired: bool | None = None) -> Any:
        """The options, with what was found in the data in the place of "auto".

        Args:
            paired: of two domains, whether they are opened in pairs; None for data opened as one set.

        Raises ValueError where it cannot be found.
        """
        return self.options

    def found_option_remarks(self) -> Mapping[str, str]:
        """Remarks on the values of options that `found_options` gives, by option, as words after a comma."""
        return {}

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens samples for evaluation, alike in all but that training never sees them.

        Raises NoHeldOutDataError where there are none, as by default.
        """
        del size, channels, fit
        raise NoHeldOutDataError("it holds no samples out from training")


class DomainSource(Source, ABC):
    """A source of two sets of images. As a plain source it gives one set, as any other does."""

    @abstractmethod
    def native_domains(self, paired: bool) -> Native:
        """The native shape of both sets: with their channels, RGB where they differ in these.

        Raises ValueError where there are no pairs, and these are asked for.
        """

    @abstractmethod
    def open_domains(
        self,
        size: tuple[int, int] | None,
        channels: int | None,
        fit: Fit,
        paired: bool,
        held_out: bool = False,
    ) -> Domains:
        """Opens both sets at `size`, in pairs where asked for.

        With `held_out` they are images for evaluation that are never among those for training.

        Raises ValueError where there are no pairs, NoHeldOutDataError where none are held out, or too few.
        """
