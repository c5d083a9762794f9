"""Scores within classes: the samples of each class against the real ones of that class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from experiments.core.console import describe_error
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.core.processes import from_first
from experiments.core.word_lists import first_few
from experiments.evaluation.features import ReferenceFeatures
from experiments.evaluation.sample_sets import DataSamples, SampleSet, training_command
from experiments.runs.evaluation_records import BY_CLASS
from metrics.core.metric import Metric, Reference
from metrics.core.statistics import Moments, Statistics
from metrics.extractors.core.extractor import Extractor, Features

LONGEST_NAME = 50
MOST_CLASSES = 200  # that are scored, the most frequent real ones: a line of scores has room for so many
MOST_NAMED = 10  # classes in a remark


@dataclass(frozen=True)
class ClassedVectors:
    """Feature vectors `(N, D)` of samples with the class of each, int64 `(N,)`."""

    vectors: Tensor
    classes: Tensor

    def of_class(self, index: int) -> Tensor:
        """The vectors of one class."""
        return self.vectors[self.classes == index]


@dataclass(frozen=True)
class ClassScores:
    """Scores of a metric within each class.

    Attributes:
        record: for each class by its name, as JSON: `n`, the numbers of samples and of real ones; and the
            scores by their names, where either side has enough of the class.
        remarks: caveats for a reader, a line each.
    """

    record: Mapping[str, JsonObject]
    remarks: Sequence[str]


class ClassScorer:
    """Scores within classes of a generator's samples, whose vectors it keeps.

    The class of a sample, and of a real one, is its label. Where samples have none, it is for both sides the
    likeliest one by the extractor: what a classifier confuses, it confuses on both.
    """

    def __init__(self, extractor: Extractor) -> None:
        self.extractor = extractor
        self.found: dict[tuple[str, str], ClassScores] = {}
        self.reset()

    def reset(self) -> None:
        """Forgets all samples, and their scores."""
        self.found.clear()
        self._vectors: list[Tensor] = []
        self._likeliest: list[Tensor] = []

    def update(self, features: Features) -> None:
        """Takes the features of another batch of samples."""
        self._vectors.append(features.vectors.float().cpu())
        if self.extractor.classes and features.logits is not None:
            self._likeliest.append(features.logits.argmax(dim=1).cpu())

    def score(
        self,
        name: str,
        suffix: str,
        metric: Metric,
        options: Any,
        reference: ReferenceFeatures,
        samples: SampleSet,
    ) -> None:
        """Scores the classes by a metric that has scores within them (`by_class`).

        Args:
            name, suffix: of its score.
            options: of the metric, for all samples.
            samples: whose features were taken.
        """
        try:
            self.found[name, suffix] = self._score(metric, options, reference, samples)
        except Exception as error:  # whatever it is, the score of all samples must not be lost
            self.found[name, suffix] = ClassScores({}, [f"no scores within classes: {describe_error(error)}"])

    def _score(
        self, metric: Metric, options: Any, reference: ReferenceFeatures, samples: SampleSet
    ) -> ClassScores:
        fakes, reals, names = samples.labels, reference.samples.labels, reference.samples.data.classes
        if fakes is None or reals is None:
            check_classes(False, self.extractor, reference.samples)
            names = self.extractor.classes
            fakes, reals = torch.cat(self._likeliest), reference.likeliest
        sides = ClassedVectors(reference.vectors, reals), ClassedVectors(torch.cat(self._vectors), fakes)
        return from_first(lambda: score_classes(type(metric), options, *sides, names))

    def record(self, name: str, suffix: str) -> JsonObject:
        """The part of a score's record on its scores within classes; empty for a metric without."""
        found = self.found.get((name, suffix))
        return {BY_CLASS: found.record} if found and found.record else {}

    def remarks(self, name: str, suffix: str) -> Sequence[str]:
        """Caveats for a reader of these scores, a line each."""
        found = self.found.get((name, suffix))
        return found.remarks if found else ()


def score_classes(
    kind: type[Metric], options: Any, reals: ClassedVectors, fakes: ClassedVectors, names: Sequence[str]
) -> ClassScores:
    """Scores the samples of each class.

    Args:
        kind: a metric that has scores within classes.
        options: of the metric, for all samples.
        names: of the classes, by their numbers.
    """
    rule = kind.by_class
    assert rule is not None
    samples, real = (side.classes.bincount(minlength=len(names)).tolist() for side in (fakes, reals))
    frequent = sorted(range(len(names)), key=lambda index: -real[index])[:MOST_CLASSES]
    record: dict[str, dict[str, Any]] = {}
    scored: list[tuple[int, str, Sequence[str]]] = []  # size, name and remarks of each class with a score
    few = []
    for index in sorted(frequent):
        name, size = _printable(names[index], index), min(samples[index], real[index])
        record[name] = {"n": [samples[index], real[index]]}
        if size < rule.fewest:
            few.append(name)
            continue
        try:
            metric = _make(kind, rule.options(options, size), reals.of_class(index))
            metric.update(fakes.of_class(index))
            numbers = metric.compute()
        except ValueError:  # options ask for more images than the class has
            few.append(name)
            continue
        record[name] |= {score: numbers[score] for score in kind.higher_is_better}
        scored.append((size, name, metric.remarks))
    remarks = [
        f"class {name}, the smallest: {remark}" for _, name, own in sorted(scored)[:1] for remark in own
    ]
    if few:
        remarks.append(
            f"no score of {len(few)} of {len(record)} classes with too few images on either side (at least "
            f"{rule.fewest}): {first_few(few, MOST_NAMED)}"
        )
    if len(names) > len(record):
        remarks.append(f"of {len(names):,} classes, the {len(record)} most frequent ones are scored")
    return ClassScores(record, remarks)


def check_classes(is_labelled: bool, extractor: Extractor, reals: DataSamples) -> None:
    """Checks that the classes of samples are known: by their labels, or by the extractor.

    Args:
        is_labelled: whether the generator takes labels, and the real ones have them.

    Raises UsageError otherwise.
    """
    own = reals.data.classes
    if is_labelled or (extractor.classes and (not own or own == extractor.classes)):
        return
    if not reals.is_images or not own:
        raise UsageError(f"--by-class needs classes, and {reals.name} has none")
    raise UsageError(
        f"--by-class needs the class of each sample: the samples or {reals.name} have no labels, and "
        f"extractor {extractor.name} does not know the classes of {reals.name}; take --extractor "
        f"classifier:NAME, made by: {training_command(reals)}"
    )


def _make(kind: type[Metric], options: Any, real: Tensor) -> Metric:
    """Builds a metric with the real vectors of a class as its reference."""
    needs: Mapping[Reference, Callable[[], tuple[Any, ...]]] = {
        "none": tuple,
        "statistics": lambda: (_statistics(real),),
        "vectors": lambda: (real,),
    }
    return kind(*needs[kind.reference](), *(() if options is None else (options,)))


def _statistics(vectors: Tensor) -> Statistics:
    moments = Moments()
    moments.update(vectors)
    return moments.statistics()


def _printable(name: str, index: int) -> str:
    """The name of a class among its scores: cut, and with its number, where it is long or not printable."""
    if name.isprintable() and 0 < len(name) <= LONGEST_NAME:
        return name
    shown = "".join(sign for sign in name if sign.isprintable())[: LONGEST_NAME - 10]
    return f"{shown}… ({index})"
