"""Fingerprint of a data set, by which a run's data is known again later, on any machine."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class DataFingerprint:
    """Fingerprint of a data set: its size, and a little of some of its images.

    The order of the images counts, because a share that is held out is chosen by their places.

    Attributes:
        count: number of samples.
        levels: mean of the upper left quarter of `PROBES` images in [0, 255]; empty for points, and where it
            is not known.
        classes: hash of the names of the classes and of the classes of these images; empty for data without
            labels, and where it is not known.
    """

    count: int
    levels: tuple[float, ...] = ()
    classes: str = ""

    def is_like(self, other: "DataFingerprint") -> bool:
        """Whether both may be of one data set, read perhaps by other versions of a decoder."""
        is_known = self.levels and other.levels
        if self.count != other.count or (is_known and len(self.levels) != len(other.levels)):
            return False
        if self.classes and other.classes and self.classes != other.classes:
            return False
        pairs = zip(self.levels, other.levels, strict=True) if is_known else ()
        return all(abs(own - others) <= TOLERANCE for own, others in pairs)

    def to_json(self) -> JsonObject:
        """The fingerprint as `read_fingerprints` reads it."""
        return asdict(self)


def take_fingerprint(data: "DataSet", indices: Tensor | None = None) -> DataFingerprint:
    """Takes the fingerprint of a data set, or of a part of it, for which it reads a few images.

    Args:
        indices: of the samples of the part, int64 `(M,)`; None: all.
    """
    indices = torch.arange(len(data)) if indices is None else indices.cpu()
    if not len(indices):
        return DataFingerprint(0)
    places = torch.linspace(0, len(indices) - 1, PROBES, dtype=torch.float64).round().long()
    labels = None if data.labels is None else data.labels.cpu()[indices[places]]
    classes = "" if labels is None else hash_labels(labels, data.classes)
    if not data.is_images:
        return DataFingerprint(len(indices), classes=classes)
    images = data.fetch(indices[places]).cpu()
    pixels = images.float() if data.units is None else data.units.to_networks(images).add(1).mul(127.5)
    height, width = ((side + 1) // 2 for side in pixels.shape[2:])
    levels = pixels[:, :, :height, :width].double().mean(dim=(1, 2, 3))
    return DataFingerprint(len(indices), tuple(round(level, 1) for level in levels.tolist()), classes)


def hash_labels(labels: Tensor, classes: Sequence[str]) -> str:
    """Hash of labels, int64 `(N,)`, and of the names of their classes, in hexadecimal digits."""
    content = json.dumps([*classes]).encode() + labels.cpu().numpy().astype("<i8").tobytes()
    return blake2b(content, digest_size=8).hexdigest()


def read_fingerprints(content: object) -> tuple[DataFingerprint, ...]:
    """Reads fingerprints from a list of what `to_json` makes; nothing where that is none."""
    found = []
    for entry in content if isinstance(content, list) else []:
        if not isinstance(entry, dict):
            return ()
        count, levels, classes = entry.get("count"), entry.get("levels"), entry.get("classes", "")
        if type(count) is not int or not 0 <= count <= MOST_COUNT:
            return ()
        if not isinstance(levels, list) or not _are_levels(levels) or not isinstance(classes, str):
            return ()
        found.append(DataFingerprint(count, tuple(map(float, levels)), classes))
    return tuple(found)


def _are_levels(levels: list[object]) -> bool:
    """Whether these are levels of all probes, or none."""
    are_numbers = all(isinstance(level, int | float) and math.isfinite(level) for level in levels)
    return are_numbers and len(levels) in (0, PROBES)


def are_alike(one: Sequence[DataFingerprint], other: Sequence[DataFingerprint]) -> bool:
    """Whether as many data sets may be the same, one by one."""
    return len(one) == len(other) and all(map(DataFingerprint.is_like, one, other))
