"""The Fréchet distance between two sides: data, a run, a generator, or statistics from a file."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.files import folder_made
from experiments.data.core.dataset import DataAccess
from experiments.evaluation.features import (
    ExtractorOptions,
    Meter,
    ReferenceFeatures,
    differing,
    extract,
    open_extractor,
)
from experiments.evaluation.sample_sets import (
    GeneratedSamples,
    ImageFormat,
    SampleSet,
    image_format_of,
    is_generator,
    open_generated,
    open_samples_of,
)
from experiments.evaluation.task_metrics import finite_only
from experiments.runs.scores import EvaluationScores, quantization, versions
from metrics.core.statistics import Moments, Statistics, frechet_distance
from metrics.extractors.core.extractor import Extractor

log = logging.getLogger("gans")

FILE = ".npz"


@dataclass(frozen=True)
class DistanceSide:
    """One of the two things that a distance is between.

    Attributes:
        name: as the user gave it.
        statistics: of its feature vectors.
        count: samples; 0 where a file does not say.
        record: what is known of how the vectors were made.
    """

    name: str
    statistics: Statistics
    count: int
    record: Mapping[str, Any]


class DistanceSides:
    """Opens the sides of a Fréchet distance, with one extractor for both.

    Args:
        how: of the extraction; look: of the data; access: how data is come by.
        count: samples on each side, at most; seed: of samples, and of the part of a larger data set.
    """

    def __init__(
        self,
        options: ExtractorOptions,
        image_format: ImageFormat,
        access: DataAccess,
        count: int,
        seed: int,
        meter: Meter,
    ) -> None:
        self.options, self.image_format, self.access, self.count, self.seed = (
            options,
            image_format,
            access,
            count,
            seed,
        )
        self.meter = meter
        self._data = ""  # what the sides are, or were trained on: it may decide on the extractor
        self._extractor: tuple[bool, Extractor] | None = None
        self._generated: dict[str, GeneratedSamples] = {}

    def sides(self, a: str, b: str) -> tuple[DistanceSide, DistanceSide]:
        """Both sides. Data that is compared with a generator is brought to the form of its samples."""
        for word in filter(is_generator, (a, b)):
            settings = self._open_generated(word).settings
            self._data = settings.data
            if self.image_format == ImageFormat():
                self.image_format = image_format_of(settings)
        self._data = next(filter(catalogue_knows, (b, a)), self._data)
        return self.open(a), self.open(b)

    def open(self, word: str) -> DistanceSide:
        """The side that a word names: a `.npz`, a generator, or a data spec."""
        if word.endswith(FILE):
            with usage_errors():
                statistics = Statistics.load(word)
            return DistanceSide(word, statistics, statistics.count, statistics.provenance)
        if is_generator(word):
            return self.of_samples(self._open_generated(word))
        if catalogue_knows(word):
            self._data = self._data or word
            samples = open_samples_of(word, self.image_format, self.count, self.seed, self.access)
            reference = ReferenceFeatures(samples, self._extractor_for(samples), self.meter)
            record = {**reference.record, "reference": reference.hash}
            return DistanceSide(word, reference.statistics, len(samples), record)
        hint = f"; for the images in it: folder:{word}" if Path(word).is_dir() else ""
        raise UsageError(
            f"{word} is no statistics file (.npz), run folder, exported generator or data set{hint}"
        )

    def of_samples(self, samples: SampleSet) -> DistanceSide:
        """The side that a set of samples is."""
        moments, extractor = Moments(), self._extractor_for(samples)
        for _, features in extract(samples, extractor, self.meter):
            finite_only(moments.update, features.vectors)
        record = {**extractor.description(), "n": len(samples), "shape": list(samples.shape)}
        with usage_errors():
            return DistanceSide(samples.name, moments.statistics(), len(samples), record)

    def _open_generated(self, word: str) -> GeneratedSamples:
        if word not in self._generated:
            samples = open_generated(word, self.count, self.seed, self.options.device)
            self._generated[word] = samples
        return self._generated[word]

    def _extractor_for(self, samples: SampleSet) -> Extractor:
        if self._extractor is None:
            extractor = open_extractor(self.options, samples.is_images, self._data)
            self._extractor = samples.is_images, extractor
        of_images, extractor = self._extractor
        if samples.is_images != of_images:
            kinds = ("images", "points") if samples.is_images else ("points", "images")
            raise UsageError(f"{samples.name} is {kinds[0]}, and the other side is {kinds[1]}")
        return extractor


def catalogue_knows(spec: str) -> bool:
    return spec.partition(":")[0] in registry.names("data")


def distance(a: DistanceSide, b: DistanceSide, seed: int, force: bool) -> EvaluationScores:
    """The Fréchet distance between two sides, under the name that its features deserve.

    Raises UsageError for sides whose features were made differently, unless `force`.
    """
    known = [side.record for side in (a, b) if "extractor" in side.record]
    if len(known) == 2 and (lines := differing(known[0], known[1])) and not force:
        raise UsageError(
            f"{a.name} and {b.name} were not made alike ({'; '.join(lines)}); "
            "make both with the same flags, or compare nevertheless with --force"
        )
    for side in (a, b):
        if "extractor" not in side.record:
            log.info(
                f"{side.name} does not say which extractor made it; its features are taken to be the same"
            )
    with usage_errors():
        value = frechet_distance(a.statistics, b.statistics)
    width = len(a.statistics.mean)
    for side in (a, b):
        if 0 < side.count <= width:
            log.info(
                f"{side.name}: {width:,} features, but only {side.count:,} images: the distance is too large"
            )
    record = known[0] if known else {}
    name = str(record.get("distance", "fd-unknown"))
    kept = {key: record[key] for key in ("extractor", "weights", "resize_rule") if key in record}
    references = [side.record["reference"] for side in (a, b) if "reference" in side.record]
    score = {"value": value, "n": [a.count, b.count], **kept, "quantization": quantization(record)}
    return {name: score | {"seed": seed, "references": references, **versions()}}


def write_statistics(side: DistanceSide, path: Path) -> None:
    """Mean and covariance, with the record of how they were made. Raises RunError where that fails."""
    with folder_made(path):
        side.statistics.save(path, side.record)
