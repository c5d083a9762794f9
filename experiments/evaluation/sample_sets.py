"""Sample sets: finite sets of images of one size, or of points, from data or from a generator."""

import logging
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from experiments.config.components import default_of
from experiments.config.factory import blueprint_of
from experiments.config.flag_words import flag_words
from experiments.core import registry
from experiments.core.device import resolve_device
from experiments.core.errors import UsageError, usage_errors
from experiments.core.images import to_uint8
from experiments.core.named_values import SettingValues
from experiments.core.options import describe_options, split_key, unknown_option_error
from experiments.core.processes import from_first, share_out
from experiments.core.seeds import generator_for
from experiments.core.settings import FIELDS, Settings
from experiments.core.units import PixelUnits, units_of
from experiments.core.value_readers import Size
from experiments.data.core.dataset import USUAL, DataAccess, DataSet, Fit, NoHeldOutDataError
from experiments.data.core.sources import absolute_spec, data_access_from, open_source
from experiments.runs.generator import draw_labels, sample_batches, sample_labels
from gans.core.networks import LatentNetwork
from metrics.path_length import EPSILON, neighbours_on_path

log = logging.getLogger("gans")

BATCH = 64


class SampleSet(ABC):
    """A set of N samples in an order that does not change.

    Attributes:
        name: as messages and records name it.
        shape: `(C, H, W)` of images, `(2,)` of points.
        units: of images beyond 8 bits; None for others.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def units(self) -> PixelUnits | None:
        return None

    @property
    @abstractmethod
    def labels(self) -> Tensor | None:
        """The class of each sample, int64 `(N,)`; None where nothing says it."""

    @property
    def is_images(self) -> bool:
        """Whether the samples are images, not points."""
        return len(self.shape) == 3

    @abstractmethod
    def __len__(self) -> int: ...

    def batches(self) -> Iterator[Tensor]:
        """All samples in order on the CPU, images `(B, C, H, W)` or points `(B, 2)`, anew with each call.

        Images are uint8, or with units float32 in [0, 255], not rounded. Points are float32.
        """
        return share_out(lambda make: make().cpu(), self.batch_makers())

    @abstractmethod
    def batch_makers(self) -> Iterator[Callable[[], Tensor]]:
        """Functions that make the batches, in order, where they are computed; processes make them in turn."""

    @cached_property
    def content_hash(self) -> str:
        """Hash of every number and of the order of the samples."""
        return from_first(self._hash)

    def _hash(self) -> str:
        digest = blake2b(str((len(self), self.shape)).encode(), digest_size=16)
        for make in self.batch_makers():
            batch = make()
            digest.update(batch.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()


class DataSamples(SampleSet):
    """Samples of a data set: all of them, or a random part of `count` that the seed decides.

    Args:
        flags: words of a command by which it opens the data so.
    """

    def __init__(
        self, name: str, data: DataSet, count: int | None, seed: int, flags: Sequence[str] = ()
    ) -> None:
        self.name, self.data, self.shape, self.seed = name, data, data.sample_shape, seed
        self.flags = flags
        order = torch.arange(len(data))
        if count is not None and count < len(data):
            random = generator_for(seed, "evaluation")
            order = torch.randperm(len(data), generator=random)[:count].sort().values
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    @property
    def units(self) -> PixelUnits | None:
        return self.data.units

    @property
    def labels(self) -> Tensor | None:
        return None if self.data.labels is None else self.data.labels[self.order]

    def batch_makers(self) -> Iterator[Callable[[], Tensor]]:
        for indices in torch.split(self.order, BATCH):
            yield partial(self.fetch, indices)

    def fetch(self, indices: Tensor) -> Tensor:
        """Fetches samples by their index in the data, as `batches` has them.

        Raises UsageError for one that cannot be read.
        """
        with usage_errors():
            return pixels_of(self.data.fetch(indices), self.units)

    @property
    def class_counts(self) -> Tensor:
        """Number of samples of each class in all of the data, int64 `(K,)`; it must have labels."""
        assert self.data.labels is not None
        return self.data.labels.bincount(minlength=len(self.data.classes))


class GeneratedSamples(SampleSet):
    """Samples of a generator in evaluation mode, from latents that the seed decides.

    They are drawn anew each time, to the same bits.
    """

    def __init__(
        self, name: str, generator: LatentNetwork, settings: Settings, count: int, seed: int, device: str
    ) -> None:
        self.name, self.generator, self.settings = name, generator, settings
        self.shape = blueprint_of(settings).sample_shape
        self.count, self.seed, self.device = count, seed, device

    def __len__(self) -> int:
        return self.count

    @cached_property
    def units(self) -> PixelUnits | None:
        return units_of(self.settings.options)

    @property
    def labels(self) -> Tensor | None:
        return sample_labels(self.generator, self.count, self.seed)

    def with_count(self, count: int) -> "GeneratedSamples":
        """Another number of samples of the same generator."""
        return GeneratedSamples(self.name, self.generator, self.settings, count, self.seed, self.device)

    def batch_makers(self) -> Iterator[Callable[[], Tensor]]:
        for make in sample_batches(self.generator, self.count, self.seed, self.device):
            yield partial(self._make, make)

    def _make(self, make: Callable[[], Tensor]) -> Tensor:
        """Makes a batch of samples; images are rounded, unless they have units."""
        if not self.is_images:
            return make()
        return to_uint8(make()) if self.units is None else to_pixels(make())

    def path_makers(self, epsilon: float = EPSILON) -> Iterator[Callable[[], Tensor]]:
        """Functions that make pairs of neighbours on paths of latents, float32 `(B, 2, …)`, `count` in all.

        Images are in [0, 255] and not rounded, because neighbours differ by less than a level of grey.

        Args:
            epsilon: distance of neighbours, as a fraction of their path.
        """
        device = torch.device(resolve_device(self.device))
        generator, random = self.generator.to(device), generator_for(self.seed, "path")
        of_labels = generator_for(self.seed, "labels")
        for start in range(0, self.count, BATCH):
            begin, end = torch.randn(2, BATCH, generator.z_dim, generator=random)
            latents = neighbours_on_path(begin, end, torch.rand(BATCH, generator=random), epsilon)
            labels = draw_labels(generator, BATCH, of_labels)
            conditions = tuple(label.repeat_interleave(2).to(device) for label in labels)
            yield partial(self._make_pairs, self.count - start, latents.flatten(0, 1).to(device), *conditions)

    @torch.no_grad()
    def _make_pairs(self, count: int, latents: Tensor, *label: Tensor) -> Tensor:
        """Makes samples of latents that are neighbours two by two, `(2 B, z_dim)`; at most `count` pairs."""
        pairs = self.generator(latents, *label).float()
        pairs = to_pixels(pairs) if self.is_images else pairs
        return pairs.unflatten(0, (BATCH, 2))[:count]


def training_command(samples: SampleSet, spec: str = "") -> str:
    """The command that trains a classifier of data, at the size of these samples.

    Args:
        spec: the data; empty for that of the samples.
    """
    height, width = samples.shape[1:]
    flags = samples.flags if isinstance(samples, DataSamples) and not spec else ()
    words = ["--data", spec or samples.name, "--image-size", f"{height}x{width}", *flags]
    return shlex.join(["gans", "train-classifier", *words])


def to_pixels(images: Tensor) -> Tensor:
    """Converts images in [−1, 1] to pixels in [0, 255], clamped and not rounded."""
    return images.add(1).mul(127.5).clamp(0, 255)


def pixels_of(samples: Tensor, units: PixelUnits | None) -> Tensor:
    """Converts samples of a data set to what is evaluated: images with units to pixels, others not at all."""
    return samples if units is None else to_pixels(units.to_networks(samples))


@dataclass(frozen=True)
class ImageFormat:
    """Format that image data is brought to; None where the data itself decides.

    Attributes:
        size: `(H, W)` in pixels.
        channels: their number.
        fit: treatment of images of another aspect ratio.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    fit: Fit = "auto"

    def fill_in(self, other: "ImageFormat") -> "ImageFormat":
        """Takes what is not given here from another format."""
        fit = other.fit if self.fit == "auto" else self.fit
        return ImageFormat(self.size or other.size, self.channels or other.channels, fit)


def image_format_of(settings: Settings) -> ImageFormat:
    """The format in which a run was shown its data."""
    fit: Any = settings.fit or "auto"
    return ImageFormat(settings.image_size, settings.channels, fit)


def read_data_options(options: SettingValues, specs: Sequence[str]) -> SettingValues:
    """Reads options of data, and returns those that differ from their defaults, by name.

    Args:
        options: words or JSON values by key (`data.sigma`); options of other components are left alone.
        specs: the data that they may be of.

    Raises UsageError for one that no source in the specs has, or a value that it cannot have.
    """
    names = dict.fromkeys(part.partition(":")[0] for spec in specs for part in specs_within(spec))
    owners = [describe_options("data", name) for name in names]
    found = {}
    for key in (key for key in options if key.startswith("data.")):
        _, name = split_key(key)
        if not owners:
            raise UsageError(f"--set {key}: nothing here comes from a data source")
        owner = next((owner for owner in owners if name in owner.readers), None)
        if owner is None:
            raise unknown_option_error(key, owners, {})
        try:
            value = owner.readers[name](options[key])
        except ValueError as error:
            raise UsageError(f"--set {key}: {error}") from error
        if value != owner.options[name].default:
            found[name] = [*value] if isinstance(value, tuple) else value
    return found


def specs_within(spec: str) -> Iterator[str]:
    """A data spec, and the specs of the sets inside it; nothing for another word."""
    name, _, argument = spec.partition(":")
    if name in registry.names("data"):
        yield spec
        if argument and registry.load("data", name).takes_spec:
            yield from specs_within(argument)


def open_data_as(
    spec: str,
    image_format: ImageFormat,
    data_access: DataAccess = USUAL,
    held_out: bool = False,
    drawn_size: Size | None = None,
) -> DataSet:
    """Opens the data of a spec in a format.

    Args:
        held_out: open samples that are kept from training.
        drawn_size: size of a set that is drawn at any size, where the format has none; None refuses it.

    Raises UsageError where that cannot be had, NoHeldOutDataError where nothing is held out.
    """
    source = open_source(absolute_spec(spec), data_access)
    open_at = source.open_held_out if held_out else source.open
    try:
        if source.kind == "points":
            return open_at(None, None, image_format.fit)
        native = source.native()
        size = image_format.size or native.size or native.first or drawn_size
        if size is None:
            raise UsageError(f"data {spec} has no size of its own: give one with --image-size")
        if size is drawn_size:
            log.info(
                f"data {spec} has no size of its own and is drawn at {size[0]}×{size[1]}; "
                "--image-size chooses"
            )
        return open_at(size, image_format.channels or native.channels or 3, image_format.fit)
    except NoHeldOutDataError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from error


def data_of_run(settings: Settings, count: int | None, seed: int, held_out: bool = False) -> DataSamples:
    """Opens the data that a run was trained on, as it was shown to the critic, or what is held out of it.

    Raises UsageError where it cannot be had, NoHeldOutDataError where nothing is held out.
    """
    access = data_access_from(settings.to_dict())
    data = open_data_as(settings.data, image_format_of(settings), access, held_out)
    return samples_of_run(settings, data, count, seed)


def samples_of_run(settings: Settings, data: DataSet, count: int | None, seed: int) -> DataSamples:
    """Takes samples of the data of a run, or of a part of it."""
    return DataSamples(settings.data, data, count, seed, data_flags(settings))


def data_flags(settings: Settings) -> list[str]:
    """Words of a command by which it opens data as a run does, but for its size and channels."""
    values = settings.to_dict()
    known = {name: FIELDS[name].default for name in ("skip_bad", "data_root", "download")} | {"fit": "auto"}
    known |= {key: default_of(key, values) for key in values if key.startswith("data.")}
    return flag_words({name: values[name] for name, usual in known.items() if values[name] != usual})
