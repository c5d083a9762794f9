"""Fingerprint of a data set, by which a run's data is known again later, on any machine."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from experiments.core.named_values import JsonObject

if TYPE_CHECKING:
    from experiments.data.core.dataset import DataSet

PROBES = 16  # images whose levels are known, evenly spread
TOLERANCE = 1.0  # levels of 255: readers of JPEG differ by less, other images by more
MOST_COUNT = 2**53
MOST_HASH = 64  # characters of a hash in a file


@dataclass(frozen=True)
class DataFingerprint:
    """Fingerprint of a data set: its size, a little of some of its images, and a hash of its labels.

    The order of the images counts, because a share that is held out is chosen by their places.

    Attributes:
        count: number of samples.
        levels: mean of the upper left quarter of `PROBES` images in [0, 255]; empty for points, and where it
            is not known.
        labels: hash of the names of the classes and of all labels; attributes: of the attributes of all
            samples. Empty where there are none, where a run does not use them, and in earlier versions.
    """

    count: int
    levels: tuple[float, ...] = ()
    labels: str = ""
    attributes: str = ""

    def is_like(self, other: "DataFingerprint") -> bool:
        """Whether both may be of one data set, read perhaps by other versions of a decoder."""
        return self.has_samples_of(other) and self.has_labels_of(other)

    def has_labels_of(self, other: "DataFingerprint") -> bool:
        """Whether labels and attributes are the same, as far as both are known."""
        pairs = (self.labels, other.labels), (self.attributes, other.attributes)
        return all(own == others for own, others in pairs if own and others)

    def has_samples_of(self, other: "DataFingerprint") -> bool:
        """Whether both may be of the same samples, whatever their labels are."""
        is_known = self.levels and other.levels
        if self.count != other.count or (is_known and len(self.levels) != len(other.levels)):
            return False
        pairs = zip(self.levels, other.levels, strict=True) if is_known else ()
        return all(abs(own - others) <= TOLERANCE for own, others in pairs)

    def to_json(self) -> JsonObject:
        """The fingerprint as `read_fingerprints` reads it."""
        return {key: value for key, value in asdict(self).items() if value != ""}

    def with_conditions(self, has_labels: bool, has_attributes: bool) -> "DataFingerprint":
        """The fingerprint for a run that uses labels, attributes or neither.

        Attributes of data that has none are its classes.
        """
        has_labels = has_labels or (has_attributes and not self.attributes)
        return replace(
            self,
            labels=self.labels if has_labels else "",
            attributes=self.attributes if has_attributes else "",
        )


def take_fingerprint(data: "DataSet", indices: Tensor | None = None) -> DataFingerprint:
    """Takes the fingerprint of a data set, or of a part of it, for which it reads a few images.

    Args:
        indices: of the samples of the part, int64 `(M,)`; None: all.
    """
    hashes = _hash_labels(data, indices), _hash_attributes(data, indices)
    indices = torch.arange(len(data)) if indices is None else indices.cpu()
    if not data.is_images or not len(indices):
        return DataFingerprint(len(indices), (), *hashes)
    places = torch.linspace(0, len(indices) - 1, PROBES, dtype=torch.float64).round().long()
    images = data.fetch(indices[places]).cpu()
    pixels = images.float() if data.units is None else data.units.to_networks(images).add(1).mul(127.5)
    height, width = ((side + 1) // 2 for side in pixels.shape[2:])
    levels = pixels[:, :, :height, :width].double().mean(dim=(1, 2, 3))
    return DataFingerprint(len(indices), tuple(round(level, 1) for level in levels.tolist()), *hashes)


def _hash_labels(data: "DataSet", indices: Tensor | None) -> str:
    """Hash of the names of the classes and of the labels of samples; empty without labels."""
    return "" if data.labels is None else _hash([*data.classes], data.labels, indices)


def _hash_attributes(data: "DataSet", indices: Tensor | None) -> str:
    """Hash of the names and values of attributes, and of their table; empty without attributes."""
    if (known := data.attributes) is None:
        return ""
    return _hash([[group.name, *group.values] for group in known.groups], known.table, indices)


def _hash(names: Sequence[object], table: Tensor, indices: Tensor | None) -> str:
    """Hash of names and of whole numbers, those of some samples or of all."""
    rows = table.cpu() if indices is None else table.cpu()[indices.cpu()]
    digest = blake2b(json.dumps(names).encode(), digest_size=8)
    digest.update(rows.long().contiguous().numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def read_fingerprints(content: object) -> tuple[DataFingerprint, ...]:
    """Reads fingerprints from a list of what `to_json` makes; nothing where that is none."""
    found = []
    for entry in content if isinstance(content, list) else []:
        if not isinstance(entry, dict):
            return ()
        count, levels = entry.get("count"), entry.get("levels")
        if type(count) is not int or not 0 <= count <= MOST_COUNT:
            return ()
        if not isinstance(levels, list) or not _are_levels(levels):
            return ()
        hashes = [entry.get(key, "") for key in ("labels", "attributes")]
        if not all(isinstance(each, str) and len(each) <= MOST_HASH for each in hashes):
            return ()
        found.append(DataFingerprint(count, tuple(map(float, levels)), *hashes))
    return tuple(found)


def _are_levels(levels: list[object]) -> bool:
    """Whether these are levels of all probes, or none."""
    are_numbers = all(isinstance(level, int | float) and math.isfinite(level) for level in levels)
    return are_numbers and len(levels) in (0, PROBES)


def are_alike(one: Sequence[DataFingerprint], other: Sequence[DataFingerprint]) -> bool:
    """Whether as many data sets may be the same, one by one."""
    return len(one) == len(other) and all(map(DataFingerprint.is_like, one, other))
