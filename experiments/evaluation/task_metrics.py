"""One direction in which generators are judged: the reals beside what they make, and metrics between."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from experiments.core.errors import RunError, usage_errors
from experiments.evaluation.features import Meter, ReferenceFeatures, channel_logits, extract, path_vectors
from experiments.evaluation.sample_sets import GeneratedSamples, SampleSet
from experiments.evaluation.tasks import EvaluationTask, TranslatedSamples
from experiments.runs.scores import quantization, versions
from metrics.core.metric import Metric
from metrics.extractors.core.extractor import Extractor, Features

Numbers = dict[str, float]


class TaskMetrics:
    """The metrics of one direction, with what they need of its reals: opened once, for all generators.

    Args:
        kinds: of metrics, by their names; none that `misfit` finds fault with.
    """

    def __init__(
        self, direction: EvaluationTask, kinds: Mapping[str, type[Metric]], extractor: Extractor, meter: Meter
    ) -> None:
        self.direction, self.extractor, self.meter = direction, extractor, meter
        self.reference = ReferenceFeatures(direction.reals, extractor, meter)
        if any(kind.reference == "vectors" for kind in kinds.values()):
            _ = self.reference.vectors  # the statistics can be made of these, but not the other way round
        self.metrics = {name: make_metric(kind, self.reference) for name, kind in kinds.items()}

    def record(self, name: str, samples: SampleSet, seed: int) -> dict[str, Any]:
        """How a metric's score of these samples was made."""
        of_pixels = self.metrics[name].takes == "pairs"
        looked = {} if of_pixels else self.extractor.description()
        numbers = {"n": [len(samples), len(self.reference.samples)], "quantization": quantization(looked)}
        reals = self.reference.samples.content_hash if of_pixels else self.reference.hash
        return looked | numbers | {"seed": seed, "reference": reals, **versions(), **self.direction.record}

    def numbers(self, samples: SampleSet) -> dict[str, Numbers]:
        """Metric → score → number, of all that a generator made."""
        for metric in self.metrics.values():
            metric.reset()
        begin = 0
        for made, features in self._looked_at(samples):
            if features is not None:
                self._feed("points", features.vectors)
                self._feed("vectors", features.vectors)
                self._feed("logits", features.logits)
            if self._takers("pairs"):
                assert isinstance(samples, TranslatedSamples)
                self._feed("pairs", samples.pairs(begin, made))
            begin += len(made)
        if self._takers("channel-logits"):
            for logits in channel_logits(samples, self.extractor, self.meter):
                self._feed("channel-logits", logits)
        if self._takers("path-vectors"):
            assert isinstance(samples, GeneratedSamples)
            for vectors in path_vectors(samples, self.extractor, self.meter):
                self._feed("path-vectors", vectors)
        with usage_errors():
            return {name: metric.compute() for name, metric in self.metrics.items()}

    def _looked_at(self, samples: SampleSet) -> Iterator[tuple[Tensor, Features | None]]:
        """The samples, with their features where a metric wants these; none where no metric looks."""
        if any(self._takers(takes) for takes in ("points", "vectors", "logits")):
            yield from extract(samples, self.extractor, self.meter)
        elif self._takers("pairs"):
            advance = self.meter(samples.name, len(samples))
            for batch in samples.batches():
                yield batch, None
                advance(len(batch))

    def _takers(self, takes: str) -> list[Metric]:
        return [metric for metric in self.metrics.values() if metric.takes == takes]

    def _feed(self, takes: str, batch: Tensor | None) -> None:
        for metric in self._takers(takes):
            finite_only(metric.update, batch)


def make_metric(kind: type[Metric], reference: ReferenceFeatures) -> Metric:
    """A metric with what it needs of the real side."""
    needs: dict[str, Callable[[], tuple[Any, ...]]] = {
        "none": tuple,
        "statistics": lambda: (reference.statistics,),
        "vectors": lambda: (reference.vectors,),
        "class-shares": lambda: (reference.samples.class_counts,),
        "mixture": lambda: reference.samples.data.mixture or (),
    }
    with usage_errors():
        return kind(*needs[kind.reference]())


def misfit(kind: type[Metric], direction: EvaluationTask, extractor: Extractor) -> str:
    """What keeps a metric from judging this data, with the remedy; empty where it can."""
    samples, data = direction.reals, direction.reals.data
    if kind.takes == "path-vectors" and not direction.has_paths:
        return "follows paths of latents, and a generator that translates has none"
    if kind.takes == "pairs" and not direction.has_pairs:
        return (
            f"compares images with what they should be, which nobody knows of this run on {samples.name}; "
            "pix2pix learns from pairs, and shapes-styles and shapes-attributes draw the truth"
        )
    if kind.takes == "points" and samples.is_images:
        return f"judges points, and {samples.name} is images"
    if kind.reference == "mixture" and data.mixture is None:
        return f"needs modes that are known, which {samples.name} has not; ring8 and grid25 have"
    if kind.takes in ("logits", "channel-logits") and not samples.is_images:
        return f"needs the classes of images, and {samples.name} is points"
    train = "make one with: gans train-classifier --data"
    if kind.reference == "class-shares" and data.labels is None:
        return f"needs classes, which {samples.name} has not"
    if kind.reference == "class-shares" and extractor.classes != data.classes:
        return f"needs a classifier of {samples.name}, not {extractor.name}; {train} {samples.name}"
    if kind.takes == "channel-logits" and not data.channel_classes:
        return f"needs data whose channels show classes, such as stacked:mnist, and not {samples.name}"
    if kind.takes == "channel-logits" and extractor.classes != data.channel_classes:
        inner = samples.name.partition(":")[2]
        return f"needs a classifier of {inner}, not {extractor.name}; {train} {inner}"
    if kind.takes == "logits" and not extractor.has_logits:
        others = "--extractor inception, efflite0 or classifier:NAME"
        return f"needs class probabilities, which extractor {extractor.name} does not give; take {others}"
    return ""


def finite_only(update: Callable[[Tensor], None], batch: Tensor | None) -> None:
    """What a generator made the extractor say may not be finite; that is no mistake of the user's."""
    assert batch is not None
    try:
        update(batch.float().cpu())
    except ValueError as error:
        raise RunError(str(error)) from error
