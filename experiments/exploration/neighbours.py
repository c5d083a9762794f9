"""Nearest real images of a sample: neighbours among the training images by an extractor's features."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

import torch
from torch import Tensor

from experiments.core.errors import UsageError
from experiments.core.images import draw_samples, from_uint8, png_bytes, to_uint8
from experiments.core.settings import Settings
from experiments.core.units import units_of
from experiments.data.core.sources import data_access_from
from experiments.evaluation.candidates import describe_lacking_data
from experiments.evaluation.features import ExtractorOptions, ReferenceFeatures, open_extractor
from experiments.evaluation.protocols import SPLITS, TRAIN
from experiments.evaluation.sample_sets import DataSamples, data_of_run, image_format_of
from experiments.evaluation.trained_data import TrainedData
from metrics.extractors.core.extractor import Extractor

SEARCHED = 1000  # training images, in the order of the data's seed
NEIGHBOURS = 6


@dataclass(frozen=True)
class Neighbour:
    """A real image near a sample.

    Attributes:
        png: the picture, as a file.
        distance: Euclidean, between features.
        index: of the image in the data of the run.
    """

    png: bytes
    distance: float
    index: int


@dataclass(frozen=True)
class Neighbours:
    """The real images nearest to a sample, the nearest first.

    Attributes:
        found: of the images.
        extractor: name of the extractor whose features were compared.
        searched, total: number of images that were looked at, and that there are.
    """

    found: list[Neighbour]
    extractor: str
    searched: int
    total: int

    def describe(self) -> str:
        """Says among which images these were found, and what their distances are."""
        return (
            f"Nearest of {self.searched:,} of {self.total:,} real images; below each the distance of its "
            f"features by {self.extractor} from those of the sample (no unit; 0: equal)"
        )


@dataclass
class NeighbourSearch:
    """Search of the training images of runs; features of a data set are computed once, and kept.

    Attributes:
        device: where features are computed.
        extractor: its name; None for the best whose weights are on this machine.
    """

    device: str
    extractor: str | None = None
    _sides: dict[Any, tuple[DataSamples, Extractor, Tensor]] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    def nearest(
        self,
        settings: Settings,
        sample: Tensor,
        tell: Callable[[str], None] = lambda words: None,
        path: Path | None = None,
    ) -> Neighbours:
        """Finds the training images of a run nearest to a sample, `(C, H, W)` in [−1, 1].

        Args:
            tell: is called with words on how far the search is, the first time.
            path: the run folder, or a checkpoint in it, which says what data it was trained on.

        Raises UsageError where the data of the run cannot be had, or has changed since.
        """
        if not settings.data:
            raise UsageError(describe_lacking_data(str(path or "this generator")))
        with self._lock:
            data, extractor, vectors = self._side(settings, tell, path)
        own = extractor(to_uint8(sample)[None]).vectors.double().cpu()
        distances = torch.cdist(own, vectors.double().cpu())[0]
        nearest = distances.argsort(stable=True)[:NEIGHBOURS]
        indices = data.order[nearest]
        images = data.data.fetch(indices).cpu()
        images = from_uint8(images) if images.dtype == torch.uint8 else images
        found = [
            Neighbour(png_bytes(draw_samples(image[None])), float(distances[row]), int(index))
            for image, row, index in zip(images, nearest, indices, strict=True)
        ]
        return Neighbours(found, extractor.name, len(data), len(data.data))

    def _side(
        self, settings: Settings, tell: Callable[[str], None], path: Path | None = None
    ) -> tuple[DataSamples, Extractor, Tensor]:
        """The images that are searched, and their features."""
        if units_of(settings.options) is not None:
            raise UsageError("nearest images are found among pictures of 8 bits; gans audit compares others")
        # All that `data_of_run` goes by: runs of one data set may hold other parts of it out.
        key = settings.data, image_format_of(settings), data_access_from(settings.to_dict())
        trained_data = None if path is None else TrainedData(path, settings)
        if key not in self._sides:
            data = data_of_run(settings, SEARCHED, 0)
            if trained_data is not None:
                trained_data.check(data, SPLITS[TRAIN])
            options = ExtractorOptions(self.extractor, device=self.device)
            extractor = open_extractor(options, True, settings.data, settings.channels)
            features = ReferenceFeatures(data, extractor, partial(_counting, tell))
            self._sides[key] = data, extractor, features.vectors
        elif trained_data is not None:  # another run on this data
            trained_data.check(self._sides[key][0], SPLITS[TRAIN])
        return self._sides[key]


def _counting(tell: Callable[[str], None], name: str, total: int) -> Callable[[int], None]:
    """Makes a function that counts images, and tells how many there were."""
    counted = 0

    def advance(count: int) -> None:
        nonlocal counted
        counted += count
        tell(f"comparing real images of {name}: {counted:,} of {total:,}")

    return advance
