"""The scores of a run's generators against the data that they were trained on."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from experiments import catalogue
from experiments.checkpoint import step_of
from experiments.errors import RunError, UsageError, usable
from experiments.evaluation.extracting import (
    How,
    Meter,
    Reference,
    channel_logits,
    extract,
    open_extractor,
    path_vectors,
)
from experiments.evaluation.record import Scores, versions
from experiments.evaluation.samples import DataSamples, GeneratedSamples, Say, data_of_run
from experiments.run_folder import RunFolder
from experiments.settings import Settings
from metrics import Metric
from metrics.extractors import Extractor

ALIASES = {"is": "inception-score", "pr": "precision-recall"}  # as papers abbreviate them
USUAL_OF_IMAGES = ("fid", "kid", "precision-recall")
USUAL_OF_MIXTURES = ("modes",)
USUAL_OF_POINTS = ("fid", "precision-recall")


class Judge:
    """Scores generators of one run against the data it was trained on, as the critic saw it.

    The data and what the metrics need of it are opened once, and serve all generators.

    Args:
        how: of the extraction.
        names: of the metrics; None or none for those that are usual for the kind of data.
        count: samples on each side, at most; seed: of samples, and of the part of a larger data set.
    """

    def __init__(self, how: How, names: Sequence[str], count: int, seed: int, say: Say, meter: Meter) -> None:
        self.how, self.names, self.count, self.seed = how, names, count, seed
        self.say, self.meter = say, meter
        self.metrics: dict[str, Metric] = {}

    def open(self, settings: Settings, name: str) -> None:
        """Finds the data, the extractor and the metrics for a run with these settings."""
        if not settings.data:
            raise UsageError(f"{name} does not say which data it was trained on; give its run folder")
        data = data_of_run(settings, self.count, self.seed)
        names = list(self.names) or usual_metrics(data.is_images, data.data.mixture is not None)
        kinds = {metric: catalogue.load("metric", ALIASES.get(metric, metric)) for metric in names}
        self.extractor = open_extractor(self.how, data.is_images, settings.data, self.say)
        self.reference = Reference(data, self.extractor, self.meter)
        self.metrics = {metric: make_metric(metric, kind, self.reference) for metric, kind in kinds.items()}

    def __call__(self, samples: GeneratedSamples) -> Scores:
        """Score's name → its numbers and how they were made."""
        if not self.metrics:
            self.open(samples.settings, samples.name)
        record: dict[str, Any] = {**self.extractor.description()}
        record |= {"n": [len(samples), len(self.reference.samples)]}
        record |= {"quantization": "uint8" if samples.is_images else "none", "seed": self.seed}
        record |= {"reference": self.reference.hash, **versions()}
        scores: Scores = {}
        for name, numbers in self._numbers(samples).items():
            (first, value), *rest = numbers.items()
            is_several = len(self.metrics[name].higher_is_better) > 1  # whose scores have names of their own
            own = {first: value} if is_several else {}
            scores[self.key_of(name)] = {"value": value, **own, **dict(rest), **record}
        return scores

    def key_of(self, name: str) -> str:
        """What a metric's score is called: only the distance of Inception's features is a FID."""
        return name.replace("fid", self.extractor.distance, 1) if name.startswith("fid") else name

    def _numbers(self, samples: GeneratedSamples) -> dict[str, dict[str, float]]:
        """Metric → score → number."""
        for metric in self.metrics.values():
            metric.reset()
        takers = {takes: self._takers(takes) for takes in ("points", "vectors", "logits")}
        if any(takers.values()):
            for features in extract(samples, self.extractor, self.meter):
                found = {"points": features.vectors, "vectors": features.vectors, "logits": features.logits}
                for takes, metrics in takers.items():
                    for metric in metrics:
                        finite_only(metric.update, found[takes])
        for takes, feed in (("channel-logits", channel_logits), ("path-vectors", path_vectors)):
            if metrics := self._takers(takes):
                for batch in feed(samples, self.extractor, self.meter):
                    for metric in metrics:
                        finite_only(metric.update, batch)
        return {name: self._asked(name, metric) for name, metric in self.metrics.items()}

    def _takers(self, takes: str) -> list[Metric]:
        return [metric for metric in self.metrics.values() if metric.takes == takes]

    def _asked(self, name: str, metric: Metric) -> dict[str, float]:
        found = usable(metric.compute)
        for remark in metric.remarks:
            self.say(f"{name}: {remark}")
        return found


def usual_metrics(is_images: bool, has_mixture: bool) -> list[str]:
    if is_images:
        return list(USUAL_OF_IMAGES)
    return list(USUAL_OF_MIXTURES if has_mixture else USUAL_OF_POINTS)


def make_metric(name: str, kind: type[Metric], reference: Reference) -> Metric:
    """A metric with what it needs of the real side. Raises UsageError where it says nothing of this data."""
    fault = _misfit(kind, reference.samples, reference.extractor)
    if fault:
        raise UsageError(f"metric {name} {fault}")
    needs: dict[str, Callable[[], tuple[Any, ...]]] = {
        "none": tuple,
        "statistics": lambda: (reference.statistics,),
        "vectors": lambda: (reference.vectors,),
        "class-shares": lambda: (reference.samples.class_counts,),
        "mixture": lambda: reference.samples.data.mixture or (),
    }
    return usable(partial(kind, *needs[kind.reference]()))


def _misfit(kind: type[Metric], samples: DataSamples, extractor: Extractor) -> str:
    """Why a metric has nothing to say of this data, or nothing; with the remedy."""
    data = samples.data
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
    if kind.takes == "channel-logits" and not extractor.classes:
        inner = samples.name.partition(":")[2] or "mnist"
        return f"needs a classifier of what a channel shows, not {extractor.name}; {train} {inner}"
    if kind.takes == "logits" and not extractor.has_logits:
        others = "--extractor inception, efflite0 or classifier:NAME"
        return f"needs class probabilities, which extractor {extractor.name} does not give; take {others}"
    return ""


def judged(word: str, every_checkpoint: bool) -> list[tuple[str, int]]:
    """What is to be judged of a run, each with its step: its newest generator, or all that it still has."""
    folder = RunFolder(Path(word))
    if not folder.exists:
        if every_checkpoint:
            raise UsageError(f"{word} is not a run folder, which --every-checkpoint needs")
        return [(word, 0)]
    paths = folder.checkpoints().paths()
    steps = [step_of(path) for path in paths]
    if every_checkpoint and not paths:
        raise UsageError(f"{word} has no checkpoint yet; wait for its first, or resume the run")
    if every_checkpoint:
        return [(str(path), step) for path, step in zip(paths, steps, strict=True)]
    return [(word, steps[-1] if steps else 0)]


def finite_only(update: Callable[[Tensor], None], batch: Tensor | None) -> None:
    """What a generator made the extractor say may not be finite; that is no mistake of the user's."""
    assert batch is not None
    try:
        update(batch.float().cpu())
    except ValueError as error:
        raise RunError(str(error)) from error
