"""The scores of a run's generators against the data that they were trained on."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from experiments import catalogue
from experiments.checkpoint import DamagedError
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
from experiments.evaluation.record import Scores, quantization, versions
from experiments.evaluation.samples import DataSamples, GeneratedSamples, Say, data_of_run, open_generated
from experiments.run_folder import RunFolder
from experiments.settings import Settings
from metrics import Metric
from metrics.extractors import Extractor
from metrics.kid import SUBSET_SIZE

COMPARABLE = ("extractor", "weights", "resize_rule", "n", "seed", "reference")
USUAL_OF_IMAGES = ("fid", "kid", "precision-recall")
USUAL_OF_MIXTURES = ("modes",)
USUAL_OF_POINTS = ("fid", "precision-recall")


class Judge:
    """Scores generators of one run against the data it was trained on, as the critic saw it.

    The data and what the metrics need of it are opened once, and serve all generators.

    Args:
        how: of the extraction.
        names: of the metrics; without any, those that are usual for the kind of data.
        count: samples on each side, at most; seed: of samples, and of the part of a larger data set.
    """

    def __init__(self, how: How, names: Sequence[str], count: int, seed: int, say: Say, meter: Meter) -> None:
        self.how, self.names, self.count, self.seed = how, names, count, seed
        self.say, self.meter = say, meter
        self.metrics: dict[str, Metric] = {}
        self._remarks: set[str] = set()  # that were told

    def open(self, settings: Settings, name: str, best: str | None = None) -> None:
        """Finds the data, the extractor and the metrics for a run with these settings.

        Raises UsageError for what cannot be had, before anything that takes long; and for scores that `best`
        is to be chosen by, and that are not among them.
        """
        if not settings.data:
            raise UsageError(f"{name} does not say which data it was trained on; give its run folder")
        kinds: dict[str, type[Metric]] = {
            n: catalogue.load("metric", n) for n in catalogue.metric_names(self.names)
        }
        data = data_of_run(settings, self.count, self.seed)
        kinds = kinds or {n: catalogue.load("metric", n) for n in self._usual(data)}
        self.extractor = open_extractor(self.how, data.is_images, settings.data, self.say)
        for metric, kind in kinds.items():
            if fault := _misfit(kind, data, self.extractor):
                raise UsageError(f"metric {metric} {fault}")
        self._check_best(best, kinds)
        self.reference = Reference(data, self.extractor, self.meter)
        if any(kind.reference == "vectors" for kind in kinds.values()):
            _ = self.reference.vectors  # the statistics can be made of these, but not the other way round
        self.metrics = {metric: make_metric(kind, self.reference) for metric, kind in kinds.items()}

    def _usual(self, data: DataSamples) -> Sequence[str]:
        """The metrics of a user who names none."""
        if not data.is_images:
            return USUAL_OF_POINTS if data.data.mixture is None else USUAL_OF_MIXTURES
        if min(self.count, len(data)) >= SUBSET_SIZE:
            return USUAL_OF_IMAGES
        self.say(f"kid is left out: it needs {SUBSET_SIZE:,} samples on each side")
        return [name for name in USUAL_OF_IMAGES if name != "kid"]

    def _check_best(self, best: str | None, kinds: Mapping[str, type[Metric]]) -> None:
        known = [*kinds, *(score for kind in kinds.values() for score in kind.higher_is_better)]
        known += [self.key_of(name) for name in kinds]
        if best is not None and catalogue.METRIC_ALIASES.get(best, best) not in known:
            raise UsageError(
                f"--best-metric {best} is not evaluated; there are: {', '.join(dict.fromkeys(known))}"
            )

    def marks(self, best: str, scores: Scores) -> tuple[float, ...]:
        """What orders generators, the larger the better: one number by its name; or all numbers of a metric
        that have a direction, of which the first counts most."""
        key = next(key for key in scores if self._orders(best, key))
        name = next(name for name in self.metrics if self.key_of(name) == key)
        directions = self.metrics[name].higher_is_better
        chosen = {best: directions[best]} if best in directions else directions
        score = scores[key]
        values = ((score[each] if each in score else score["value"], up) for each, up in chosen.items())
        return tuple(value if up else -value for value, up in values)

    def compares(self, best: str, scores: Scores, others: Scores) -> bool:
        """Whether the scores that order generators are in both, and were made in the same way."""
        key = next(key for key in scores if self._orders(best, key))
        return key in others and all(others[key].get(part) == scores[key].get(part) for part in COMPARABLE)

    def _orders(self, best: str, key: str) -> bool:
        """Whether `best` names this score, or one of its numbers."""
        name = next(name for name in self.metrics if self.key_of(name) == key)
        return catalogue.METRIC_ALIASES.get(best, best) in (name, key, *self.metrics[name].higher_is_better)

    def __call__(self, samples: GeneratedSamples) -> Scores:
        """Score's name → its numbers and how they were made."""
        if not self.metrics:
            self.open(samples.settings, samples.name)
        record: dict[str, Any] = {**self.extractor.description()}
        record |= {"n": [len(samples), len(self.reference.samples)]}
        record |= {"quantization": quantization(record), "seed": self.seed}
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
            for _, features in extract(samples, self.extractor, self.meter):
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
            if (line := f"{name}: {remark}") not in self._remarks:
                self._remarks.add(line)
                self.say(line)
        return found


def make_metric(kind: type[Metric], reference: Reference) -> Metric:
    """A metric with what it needs of the real side."""
    needs: dict[str, Callable[[], tuple[Any, ...]]] = {
        "none": tuple,
        "statistics": lambda: (reference.statistics,),
        "vectors": lambda: (reference.vectors,),
        "class-shares": lambda: (reference.samples.class_counts,),
        "mixture": lambda: reference.samples.data.mixture or (),
    }
    return usable(partial(kind, *needs[kind.reference]()))


def _misfit(kind: type[Metric], samples: DataSamples, extractor: Extractor) -> str:
    """What keeps a metric from judging this data, with the remedy; empty where it can."""
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
    if kind.takes == "channel-logits" and not data.channel_classes:
        return f"needs data whose channels show classes, such as stacked:mnist, and not {samples.name}"
    if kind.takes == "channel-logits" and extractor.classes != data.channel_classes:
        inner = samples.name.partition(":")[2]
        return f"needs a classifier of {inner}, not {extractor.name}; {train} {inner}"
    if kind.takes == "logits" and not extractor.has_logits:
        others = "--extractor inception, efflite0 or classifier:NAME"
        return f"needs class probabilities, which extractor {extractor.name} does not give; take {others}"
    return ""


def judged(
    word: str, every_checkpoint: bool, count: int, seed: int, device: str, say: Say
) -> list[GeneratedSamples]:
    """What is to be judged: the newest generator, or all that a run still has, without the damaged ones."""
    if not every_checkpoint:
        return [open_generated(word, count, seed, device, say)]
    folder, found = RunFolder(Path(word)), []
    if not folder.exists:
        raise UsageError(f"{word} is not a run folder, which --every-checkpoint needs")
    for path in folder.checkpoints().paths():
        try:
            found.append(open_generated(str(path), count, seed, device, say))
        except DamagedError as error:
            say(f"{error}; it is left out")
    if not found:
        raise RunError(f"{word} has no checkpoint that can be read; wait for its first, or resume the run")
    return found


def finite_only(update: Callable[[Tensor], None], batch: Tensor | None) -> None:
    """What a generator made the extractor say may not be finite; that is no mistake of the user's."""
    assert batch is not None
    try:
        update(batch.float().cpu())
    except ValueError as error:
        raise RunError(str(error)) from error
