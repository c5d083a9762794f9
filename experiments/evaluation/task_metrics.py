"""Metrics of one evaluation task: real images on one side, generated ones on the other."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from experiments.core.errors import RunError, UsageError, usage_errors
from experiments.core.images import from_uint8
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.options import make_options
from experiments.core.processes import from_first
from experiments.evaluation.bootstrap import Numbers, bootstrap_intervals
from experiments.evaluation.class_scores import ClassScorer
from experiments.evaluation.extraction import Meter, channel_logits, extract_beside, path_vectors
from experiments.evaluation.features import ReferenceFeatures
from experiments.evaluation.metric_requirements import (
    OF_PIXELS,
    WITHOUT_SAMPLES,
    count_faults,
    end_of,
    references_for,
)
from experiments.evaluation.references import Reference
from experiments.evaluation.sample_sets import GeneratedSamples, SampleSet
from experiments.evaluation.tasks import EvaluationTask, TranslatedSamples
from experiments.runs.scores import quantization, versions
from metrics.core.metric import Metric
from metrics.core.options import changed_options
from metrics.extractors.core.extractor import Extractor, Features
from metrics.path_length import EPSILON


@dataclass(frozen=True, eq=False)
class ReferencedMetric:
    """A metric of an evaluation, with the real samples that it compares with.

    Attributes:
        name: the word after `--metrics`.
        metric: the metric itself.
        split: part of the data that it compares with; empty for a metric that compares with no samples.
        suffix: end of the name of its score.
        features: of the reference.
    """

    name: str
    metric: Metric
    split: str
    suffix: str
    features: ReferenceFeatures


class TaskMetrics:
    """The metrics of one task, with their references: opened once, for all generators.

    A metric that fails takes no other with it.

    Args:
        kinds: classes of metrics by their names; none that `incompatibility` finds fault with.
        options: options of the metrics, by key (`kid.subset_size`).
        resamples: sets of an interval of each score, drawn with replacement from the samples; 0 for none.
        by_class: whether metrics that have scores within classes compute them.

    Attributes:
        class_scores: these scores; None where they are not asked for.
        metrics: the metrics that could be made, for every reference.
        faults: errors of the others, and of those that failed with the last generator, by name and suffix.
    """

    def __init__(
        self,
        task: EvaluationTask,
        kinds: Mapping[str, type[Metric]],
        extractor: Extractor,
        meter: Meter,
        options: SettingValues | None = None,
        resamples: int = 0,
        by_class: bool = False,
    ) -> None:
        self.task, self.extractor, self.meter, self.resamples = task, extractor, meter, resamples
        self.intervals: dict[tuple[str, str], dict[str, list[float]]] = {}
        self.class_scores = ClassScorer(extractor) if by_class else None
        self._kept: dict[str, list[Tensor]] = {}  # what metrics of each kind took
        self.options = {
            name: make_options(getattr(kind, "options_type", None), name, options or {})
            for name, kind in kinds.items()
        }
        features = [ReferenceFeatures(each.samples, extractor, meter) for each in task.references]
        self._unmade: dict[tuple[str, str], Exception] = dict(count_faults(task, kinds, self.options))
        self.reference = features[0]
        chosen = [
            (name, kind, reference, own)
            for name, kind in kinds.items()
            for reference, own in zip(task.references, features, strict=True)
            if reference in references_for(kind, task) and (name, end_of(kind, reference)) not in self._unmade
        ]
        of_vectors = [own for _, kind, _, own in chosen if kind.reference == "vectors"]
        for own in features if by_class else of_vectors:
            _ = own.vectors  # the statistics can be made of these, but not the other way round
        self.metrics = list(self._make_metrics(chosen))
        self.faults = dict(self._unmade)
        self._left: list[ReferencedMetric] = []  # that have not failed

    def _make_metrics(
        self, chosen: Iterable[tuple[str, type[Metric], Reference, ReferenceFeatures]]
    ) -> Iterator[ReferencedMetric]:
        """Makes metrics with their references; keeps the errors of those that refuse them."""
        for name, kind, reference, own in chosen:
            suffix = end_of(kind, reference)
            try:
                metric = make_metric(kind, own, self.options[name])
            except UsageError as error:
                self._unmade[name, suffix] = error
            else:
                split = "" if kind.reference in WITHOUT_SAMPLES else reference.split
                yield ReferencedMetric(name, metric, split, suffix, own)

    def record(self, scored: ReferencedMetric, samples: SampleSet, seed: int) -> JsonObject:
        """The provenance of a metric's score of these samples; options only where they are not defaults."""
        of_pixels = scored.metric.takes in OF_PIXELS
        provenance = {} if of_pixels else self.extractor.description()
        reals = scored.features.samples
        changed, ranges = changed_options(self.options[scored.name]), narrowed_ranges(scored.metric)
        return {
            **provenance,
            **({"options": changed} if changed else {}),
            **({"ranges": ranges} if ranges else {}),
            **self._interval_record(scored),
            **(self.class_scores.record(scored.name, scored.suffix) if self.class_scores else {}),
            "n": [len(samples), len(reals)],
            "quantization": "none" if reals.data.units else quantization(provenance),
            "seed": seed,
            "reference": reals.content_hash if of_pixels else scored.features.hash,
            **versions(),
            **({"split": scored.split} if scored.split else {}),
            **self.task.record,
        }

    def numbers(self, samples: SampleSet) -> Iterator[tuple[ReferencedMetric, Numbers]]:
        """Computes all metrics of a generator's samples, but those that fail, whose errors are `faults`."""
        self.faults, self._left = dict(self._unmade), list(self.metrics)
        self.intervals, self._kept = {}, {}
        if self.class_scores:
            self.class_scores.reset()
        for each in self.metrics:
            each.metric.reset()
        begin = 0
        for made, features in self._with_features(samples):
            if features is not None:
                self._feed_features(features)
            if self._takers("images"):
                assert made is not None
                self._feed("images", from_uint8(made))
            if self._takers("pairs"):
                assert isinstance(samples, TranslatedSamples)
                assert made is not None
                self._feed("pairs", samples.pairs(begin, made))
                begin += len(made)
        if takers := self._takers("channel-logits"):
            with self._keeps_fault(*takers):
                for logits in channel_logits(samples, self.extractor, self.meter):
                    self._feed("channel-logits", logits)
        for epsilon, takers in self._by_epsilon().items():
            assert isinstance(samples, GeneratedSamples)
            with self._keeps_fault(*takers):
                for vectors in path_vectors(samples, self.extractor, self.meter, epsilon):
                    for each in takers:
                        update_checking_finite(each.metric.update, vectors)
        for each in list(self._left):
            with self._keeps_fault(each):
                with usage_errors():
                    numbers = from_first(each.metric.compute)
                self._find_interval(each, numbers)
                if self.class_scores and each.metric.by_class:
                    of_metric = each.metric, self.options[each.name]
                    self.class_scores.score(each.name, each.suffix, *of_metric, each.features, samples)
                yield each, numbers

    def _feed_features(self, features: Features) -> None:
        """Feeds the features of a batch to all that take them."""
        if self.class_scores:
            self.class_scores.update(features)
        self._feed("points", features.vectors)
        self._feed("vectors", features.vectors)
        self._feed("logits", features.logits)

    @contextmanager
    def _keeps_fault(self, *failing: ReferencedMetric) -> Iterator[None]:
        """Keeps an error within as that of these metrics, which are left out from then on."""
        try:
            yield
        except Exception as error:  # whatever it is, the scores of the others must not be lost
            for each in failing:
                self.faults[each.name, each.suffix] = error
                self._left.remove(each)

    def _by_epsilon(self) -> dict[float, list[ReferencedMetric]]:
        """Metrics of paths by the length of their steps: `epsilon`, where a metric has it."""
        found: dict[float, list[ReferencedMetric]] = {}
        for each in self._takers("path-vectors"):
            found.setdefault(getattr(each.metric, "epsilon", EPSILON), []).append(each)
        return found

    def _with_features(self, samples: SampleSet) -> Iterator[tuple[Tensor | None, Features | None]]:
        """The samples, and their features, each where a metric takes them."""
        if any(self._takers(takes) for takes in ("points", "vectors", "logits")):
            takes_pixels = any(self._takers(takes) for takes in OF_PIXELS)

            def keep(batch: Tensor) -> Tensor | None:
                return batch.cpu() if takes_pixels else None

            yield from extract_beside(keep, samples, self.extractor, self.meter)
        elif any(self._takers(takes) for takes in OF_PIXELS):
            advance = self.meter(samples.name, len(samples))
            for batch in samples.batches():
                yield batch, None
                advance(len(batch))

    def _takers(self, takes: str) -> list[ReferencedMetric]:
        return [each for each in self._left if each.metric.takes == takes]

    def _find_interval(self, scored: ReferencedMetric, numbers: Numbers) -> None:
        """Finds the interval of a metric's numbers, of what is drawn of samples one by one."""
        if self.resamples and scored.metric.takes in self._kept:
            kept = torch.cat(self._kept[scored.metric.takes])
            self.intervals[scored.name, scored.suffix] = from_first(
                lambda: bootstrap_intervals(scored.metric, kept, numbers, self.resamples)
            )

    def _interval_record(self, scored: ReferencedMetric) -> JsonObject:
        """The part of a score's record on its interval."""
        found = self.intervals.get((scored.name, scored.suffix))
        halves = {"resampling": "halves"} if scored.metric.resamples_halves else {}
        return {"intervals": found, "resamples": self.resamples, **halves} if found else {}

    def _feed(self, takes: str, batch: Tensor | None) -> None:
        for each in self._takers(takes):
            with self._keeps_fault(each):
                update_checking_finite(each.metric.update, batch)
        if self.resamples and batch is not None and self._takers(takes):
            self._kept.setdefault(takes, []).append(batch.float().cpu())


def make_metric(kind: type[Metric], reference: ReferenceFeatures, options: Any = None) -> Metric:
    """Builds a metric with its reference.

    Args:
        options: an instance of its `options_type`; None for a metric that declares none, or for defaults.

    Raises UsageError where it refuses either.
    """
    needs: dict[str, Callable[[], tuple[Any, ...]]] = {
        "none": tuple,
        "statistics": lambda: (reference.statistics,),
        "vectors": lambda: (reference.vectors,),
        "class-shares": lambda: (reference.samples.class_counts,),
        "mixture": lambda: reference.samples.data.mixture or (),
        "images": lambda: (map(from_uint8, reference.samples.batches()),),
    }
    with usage_errors():
        arguments = (*needs[kind.reference](), *(() if options is None else (options,)))
        return kind(*arguments)


def narrowed_ranges(metric: Metric) -> dict[str, list[float]]:
    """Ranges of a metric's scores that its reference and samples narrow, as JSON; such as 0 to 8 modes."""
    of_class = getattr(type(metric), "ranges", {})
    return {
        score: list(own)
        for score, own in getattr(metric, "ranges", {}).items()
        if own != of_class.get(score) and all(map(math.isfinite, own))
    }


def remarks_on_reference(scored: ReferencedMetric) -> list[str]:
    """Remarks on the training samples with which a metric that looks for copies compares."""
    samples = scored.features.samples
    if not scored.metric.of_training:
        return []
    if (count := len(samples)) == (total := len(samples.data)):
        return [f"compared with all {total:,} training samples, as only these can be copied"]
    return [f"compared with {count:,} of {total:,} training samples; copies of others are not seen"]


def update_checking_finite(update: Callable[[Tensor], None], batch: Tensor | None) -> None:
    """Updates a metric with features of generated samples. Raises RunError where these are not finite.

    That is no mistake of the user's.
    """
    assert batch is not None
    try:
        update(batch.float().cpu())
    except ValueError as error:
        raise RunError(str(error)) from error
