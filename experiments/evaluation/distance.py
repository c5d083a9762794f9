"""Fréchet distance between two sides: data, a run, a generator, or statistics from a file."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.files import write_file
from experiments.core.named_values import JsonObject
from experiments.core.value_readers import Size
from experiments.data.core.dataset import DataAccess
from experiments.data.core.picture_options import range_words
from experiments.data.core.sources import open_source, suggest_spec
from experiments.evaluation.candidates import is_generator, open_generated
from experiments.evaluation.extraction import Meter, extract
from experiments.evaluation.features import (
    ExtractorOptions,
    ReferenceFeatures,
    open_extractor,
    provenance_differences,
)
from experiments.evaluation.protocols import MOST_SAMPLES
from experiments.evaluation.sample_sets import (
    DataSamples,
    GeneratedSamples,
    ImageFormat,
    SampleSet,
    image_format_of,
    open_data_as,
)
from experiments.evaluation.shared_range import (
    options_of_range,
    range_difference,
    range_of,
    record_range,
    recorded_range,
    share_range,
    stated_range,
)
from experiments.evaluation.task_metrics import update_checking_finite
from experiments.runs.scores import EvaluationScores, quantization, versions
from metrics.core.statistics import Moments, Statistics, frechet_distance
from metrics.extractors.core.extractor import Extractor

log = logging.getLogger("gans")

FILE = ".npz"


@dataclass(frozen=True)
class DistanceSide:
    """One of the two sides of a distance.

    Attributes:
        name: as the user gave it.
        statistics: statistics of its feature vectors.
        count: number of samples; 0 where a file does not say.
        record: provenance of the vectors, as far as it is known.
    """

    name: str
    statistics: Statistics
    count: int
    record: JsonObject


class DistanceSides:
    """Opens the sides of a Fréchet distance, with one extractor for both.

    Args:
        options: of the extraction.
        image_format: format of image data; what it leaves open is that of a generator on the other side.
        access: access to data, and options of its sources.
        count: largest number of samples on each side; None: 50,000, but of generated ones as many as the
            other side has.
        seed: seed of samples, and of the part of a larger data set.
        meter: called with the name and the number of the samples that are extracted.
    """

    def __init__(
        self,
        options: ExtractorOptions,
        image_format: ImageFormat,
        access: DataAccess,
        count: int | None,
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
        self.stated_range = stated_range(access.options)
        self._data = ""  # what the sides are, or were trained on: it may decide on the extractor
        self._extractor: tuple[bool, Extractor] | None = None
        self._generated: dict[str, GeneratedSamples] = {}
        self._generated_count = count or MOST_SAMPLES
        self._sizes: dict[str, Size] = {}  # (height, width) of images, by the names of sets

    def sides(self, a: str | SampleSet, b: str | SampleSet) -> tuple[DistanceSide, DistanceSide]:
        """Opens both sides: sets of samples, or words for a file, a generator or data.

        Data that is compared with a generator is brought to the format of its samples, and data that is drawn
        at any size to the size of the other side. Images beyond 8 bits are compared in one range on both
        sides: the one that is stated, else that of the generator or of the file of statistics, else that of
        both sets of data together.

        Raises UsageError for words that name nothing, and for data that cannot be had.
        """
        words = [side for side in (a, b) if isinstance(side, str)]
        given = {side.name: side for side in (a, b) if not isinstance(side, str)}
        for word in filter(is_generator, words):
            settings = self._open_generated(word).settings
            self._data = settings.data
            self.image_format = self.image_format.fill_in(image_format_of(settings))
        self._data = next(filter(is_data_spec, reversed(words)), self._data)
        found = {word: self._open_file(word) for word in words if word.endswith(FILE)}
        self._take_range_of_others(found)
        self._sizes = {name: (side.shape[1], side.shape[2]) for name, side in given.items() if side.is_images}
        of_data = [word for word in words if word not in {*found, *self._generated}]
        data = {word: self._open_data(word) for word in sorted(of_data, key=_is_drawn)}
        if not self.stated_range:
            share_range(data, {word: each.units for word, each in self._generated.items() if each.is_images})
        found |= {word: self._of_data(samples) for word, samples in data.items()}
        found |= {name: self.of_samples(samples) for name, samples in given.items()}
        if self.count is None and (known := [side.count for side in found.values() if side.count > 1]):
            self._generated_count = min(MOST_SAMPLES, *known)
        one, other = (self._opened(side, found) for side in (a, b))
        if len(set(self._sizes.values())) > 1:
            sizes = " and ".join(f"{word} {height}×{width}" for word, (height, width) in self._sizes.items())
            how = "" if given else ", by --image-size"
            log.info(f"their images are of different sizes, {sizes}; bring both to one{how}")
        return one, other

    def _opened(self, side: str | SampleSet, found: Mapping[str, DistanceSide]) -> DistanceSide:
        name = side if isinstance(side, str) else side.name
        return found[name] if name in found else self.open(name)

    def open(self, word: str) -> DistanceSide:
        """Opens the side that a word names: a `.npz`, a generator, or a data spec. Raises UsageError."""
        if word.endswith(FILE):
            return self._open_file(word)
        if is_generator(word):
            return self.of_samples(self._open_generated(word).with_count(self._generated_count))
        return self._of_data(self._open_data(word))

    def _open_file(self, word: str) -> DistanceSide:
        with usage_errors():
            statistics = Statistics.load(word)
        return DistanceSide(word, statistics, statistics.count, statistics.provenance)

    def _take_range_of_others(self, files: dict[str, DistanceSide]) -> None:
        """Takes the range of a generator or of a file for data on the other side, unless one is stated."""
        if self.access.options.get("data.range"):
            return
        units = next((each.units for each in self._generated.values() if each.units), None)
        ends = {word: range_of(each.units) for word, each in self._generated.items() if each.units}
        ends |= {word: known for word, side in files.items() if (known := recorded_range(word, side.record))}
        for word, known in list(ends.items())[:1]:
            options = options_of_range(known, units, self.access.options)
            self.access, self.stated_range = replace(self.access, options=options), known
            log.info(f"images are compared in the range of {word}, {range_words(known)}")

    def _open_data(self, word: str) -> DataSamples:
        """Opens the samples of a data spec. Raises UsageError for words that are none."""
        if not is_data_spec(word):
            hint = suggest_spec(word)
            raise UsageError(
                f"{word} is no statistics file (.npz), run folder, exported generator or data set"
                + (f", but {hint}" if hint else "")
            )
        self._data = self._data or word
        drawn_size = next(iter(self._sizes.values()), None)
        data = open_data_as(word, self.image_format, self.access, drawn_size=drawn_size)
        samples = DataSamples(word, data, self.count or MOST_SAMPLES, self.seed)
        for remark in samples.data.remarks:
            log.info(f"data {word}: {remark}")
        if samples.is_images:
            self._sizes[word] = samples.shape[1], samples.shape[2]
        return samples

    def _of_data(self, samples: DataSamples) -> DistanceSide:
        """Makes a side of the samples of a data set, whose features are kept."""
        reference = ReferenceFeatures(samples, self._extractor_for(samples), self.meter)
        record = {
            **reference.record,
            **record_range(samples, self.stated_range),
            "reference": reference.hash,
        }
        return DistanceSide(samples.name, reference.statistics, len(samples), record)

    def of_samples(self, samples: SampleSet) -> DistanceSide:
        """Makes a side of a set of samples. Raises UsageError for samples that the extractor cannot see."""
        moments, extractor = Moments(), self._extractor_for(samples)
        for features in extract(samples, extractor, self.meter):
            update_checking_finite(moments.update, features.vectors)
        record = {**extractor.description(), "n": len(samples), "shape": list(samples.shape)}
        record |= record_range(samples, self.stated_range)
        with usage_errors():
            return DistanceSide(samples.name, moments.statistics(), len(samples), record)

    def _open_generated(self, word: str) -> GeneratedSamples:
        if word not in self._generated:
            samples = open_generated(word, self._generated_count, self.seed, self.options.device)
            self._generated[word] = samples
        return self._generated[word]

    def _extractor_for(self, samples: SampleSet) -> Extractor:
        if self._extractor is None:
            channels = samples.shape[0] if samples.is_images else None
            extractor = open_extractor(self.options, samples.is_images, self._data, channels)
            self._extractor = samples.is_images, extractor
        of_images, extractor = self._extractor
        if samples.is_images != of_images:
            kinds = ("images", "points") if samples.is_images else ("points", "images")
            raise UsageError(f"{samples.name} is {kinds[0]}, and the other side is {kinds[1]}")
        return extractor


def is_data_spec(spec: str) -> bool:
    """Whether a word begins with the name of a data source."""
    return spec.partition(":")[0] in registry.names("data")


def _is_drawn(spec: str) -> bool:
    """Whether a word names images that are drawn at any size."""
    if not is_data_spec(spec):
        return False
    source = open_source(spec)
    return source.is_embedded and source.kind == "images" and source.native().size is None


def distance(a: DistanceSide, b: DistanceSide, seed: int, force: bool) -> EvaluationScores:
    """Computes the Fréchet distance between two sides: a score by its name, with its provenance.

    Raises UsageError for sides whose features were made differently, unless `force`.
    """
    known = [side.record for side in (a, b) if "extractor" in side.record]
    lines = []
    if len(known) == 2:
        lines = provenance_differences(known[0], known[1]) + range_difference(known[0], known[1])
    if lines and not force:
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
            log.info(f"{side.name}: {width:,} features but only {side.count:,} images: biased upwards")
    record = known[0] if known else {}
    name = str(record.get("distance", "fd-unknown"))
    parts = ("extractor", "weights", "resize_rule", "extractor_options")
    kept = {key: record[key] for key in parts if key in record}
    ranges = [record["range"] for record in known if record.get("range")]
    kept |= {"range": ranges[0]} if ranges else {}
    references = [side.record["reference"] for side in (a, b) if "reference" in side.record]
    score = {"value": value, "n": [a.count, b.count], **kept, "quantization": quantization(record)}
    return {name: score | {"seed": seed, "references": references, **versions()}}


def write_statistics(side: DistanceSide, path: Path) -> None:
    """Writes mean and covariance of a side with their provenance. Raises RunError where that fails."""
    write_file(path, side.statistics.to_bytes(side.record))
