"""Scores with a record of how they were made: two sides against each other, and a run against its data."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments import catalogue
from experiments.checkpoint import step_of, write_atomically
from experiments.data import Access
from experiments.errors import RunError, UsageError, usable
from experiments.evaluation.extracting import (
    Advance,
    How,
    Reference,
    differing,
    extract,
    open_extractor,
)
from experiments.evaluation.images import (
    GeneratedImages,
    ImageSet,
    Look,
    Say,
    data_of_run,
    is_generator,
    look_of,
    open_generated,
    open_images_of,
)
from experiments.run_folder import RunFolder
from metrics import Metric
from metrics.core.statistics import Moments, Statistics, frechet_distance
from metrics.extractors import Extractor

Scores = dict[str, dict[str, Any]]
ALIASES = {"is": "inception-score", "pr": "precision-recall"}  # as papers abbreviate them
OF_IMAGES = ("fid", "fid-infinity", "kid", "precision-recall", "density-coverage", "is")
SPREADS = ("standard_error", "deviation")  # stand beside a score, and are none
FILE = ".npz"


@dataclass(frozen=True)
class Side:
    """One of the two things that a distance is between.

    Attributes:
        name: as the user gave it.
        statistics: of its feature vectors.
        count: images; 0 where a file does not say.
        record: what is known of how the vectors were made.
    """

    name: str
    statistics: Statistics
    count: int
    record: Mapping[str, Any]


class Comparison:
    """Opens the sides of a Fréchet distance, with one extractor for both.

    Args:
        how: of the extraction; look: of the data; access: how data is come by.
        count: images on each side, at most; seed: of samples, and of the part of a larger data set.
    """

    def __init__(
        self, how: How, look: Look, access: Access, count: int, seed: int, say: Say, advance: Advance
    ) -> None:
        self.how, self.look, self.access, self.count, self.seed = how, look, access, count, seed
        self.say, self.advance = say, advance
        self._opened: dict[str, GeneratedImages] = {}

    @cached_property
    def extractor(self) -> Extractor:
        return open_extractor(self.how, self.say)

    def sides(self, a: str, b: str) -> tuple[Side, Side]:
        """Both sides. Data that is compared with a generator is brought to the form of its samples."""
        for generator in filter(is_generator, (a, b)):
            if self.look == Look():
                self.look = look_of(self._generated(generator).settings)
        return self.open(a), self.open(b)

    def open(self, word: str) -> Side:
        """The side that a word names: a `.npz`, a generator, or a data spec."""
        if word.endswith(FILE):
            statistics = usable(lambda: Statistics.load(word))
            return Side(word, statistics, statistics.count, statistics.provenance)
        if is_generator(word):
            return self._of_generator(word)
        if catalogue_knows(word):
            images = open_images_of(word, self.look, self.count, self.seed, self.access)
            reference = Reference(images, self.extractor, self.advance)
            record = {**reference.record, "reference": reference.hash}
            return Side(word, reference.statistics, len(images), record)
        hint = f"; for the images in it: folder:{word}" if Path(word).is_dir() else ""
        raise UsageError(
            f"{word} is no statistics file (.npz), run folder, exported generator or data set{hint}"
        )

    def _of_generator(self, word: str) -> Side:
        images = self._generated(word)
        moments = Moments()
        for features in extract(images, self.extractor, self.advance):
            _take(moments.update, features.vectors)
        record = {**self.extractor.description(), "n": len(images), "shape": list(images.shape)}
        return Side(word, usable(moments.statistics), len(images), record)

    def _generated(self, word: str) -> GeneratedImages:
        if word not in self._opened:
            images = open_generated(word, self.count, self.seed, self.how.device, self.say)
            self._opened[word] = images
        return self._opened[word]


def catalogue_knows(spec: str) -> bool:
    return spec.partition(":")[0] in catalogue.names("data")


def distance(a: Side, b: Side, seed: int, force: bool, say: Say) -> Scores:
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
            say(f"{side.name} does not say which extractor made it; its features are taken to be the same")
    value = usable(lambda: frechet_distance(a.statistics, b.statistics))
    width = len(a.statistics.mean)
    for side in (a, b):
        if 0 < side.count <= width:
            say(f"{side.name}: {width:,} features, but only {side.count:,} images: the distance is too large")
    record = known[0] if known else {}
    name = str(record.get("distance", "fd-unknown"))
    kept = {key: record[key] for key in ("extractor", "weights", "resize_rule") if key in record}
    references = [side.record["reference"] for side in (a, b) if "reference" in side.record]
    score = {"value": value, "n": [a.count, b.count], **kept, "quantization": "uint8"}
    return {name: score | {"seed": seed, "references": references, **versions()}}


class Judge:
    """Scores generators of one run against the data it was trained on, as the critic saw it.

    The data and what the metrics need of it are opened with the first generator, and serve all others.

    Args:
        extractor: of the features; names: of the metrics.
        count: images on each side, at most; seed: of samples, and of the part of a larger data set.
    """

    def __init__(self, extractor: Extractor, names: Sequence[str], count: int, seed: int, say: Say) -> None:
        self.extractor, self.names, self.count, self.seed, self.say = extractor, names, count, seed, say
        self._reference: Reference | None = None
        self._metrics: dict[str, Metric] = {}

    def __call__(self, word: str, advance: Advance) -> Scores:
        """Metric → its scores and how they were made, for a run folder or one of its checkpoints."""
        images = open_generated(word, self.count, self.seed, str(self.extractor.device), self.say)
        if self._reference is None:
            if not images.settings.data:
                raise UsageError(f"{word} does not say which data it was trained on; give its run folder")
            data = data_of_run(images.settings, self.count, self.seed)
            self._reference = Reference(data, self.extractor, advance)
            self._metrics = make_metrics(self.names, self._reference)
        found = self._scores(images, advance)
        record: dict[str, Any] = {**self.extractor.description()}
        record |= {"n": [len(images), len(self._reference.images)], "quantization": "uint8"}
        record |= {"seed": self.seed, "reference": self._reference.hash, **versions()}
        scores: Scores = {}
        for name, numbers in found.items():
            # Only Inception's distance is called FID.
            key = name.replace("fid", self.extractor.distance, 1) if name.startswith("fid") else name
            (first, value), *rest = numbers.items()
            is_pair = len(self._metrics[name].higher_is_better) > 1  # whose scores have names of their own
            scores[key] = {"value": value, **({first: value} if is_pair else {}), **dict(rest), **record}
        return scores

    def _scores(self, images: ImageSet, advance: Advance) -> dict[str, dict[str, float]]:
        """Metric → score → number."""
        for metric in self._metrics.values():
            metric.reset()
        for features in extract(images, self.extractor, advance):
            for metric in self._metrics.values():
                taken = features.logits if metric.takes == "logits" else features.vectors
                assert taken is not None
                _take(metric.update, taken)
        found = {}
        for name, metric in self._metrics.items():
            found[name] = usable(metric.compute)
            for remark in metric.remarks:
                self.say(f"{name}: {remark}")
        return found


def make_metrics(names: Sequence[str], reference: Reference) -> dict[str, Metric]:
    """Metrics by name, each with what it needs of the real side."""
    made: dict[str, Metric] = {}
    for name in names:
        kind: type[Metric] = catalogue.load("metric", ALIASES.get(name, name))
        if kind.takes == "samples":
            raise UsageError(
                f"metric {name} judges points or pairs of samples, not one set of images; "
                f"there are: {', '.join(OF_IMAGES)}"
            )
        if kind.takes == "logits" and not reference.extractor.has_logits:
            raise UsageError(
                f"metric {name} needs class probabilities, which extractor {reference.extractor.name} does "
                "not give; take inception or efflite0"
            )
        needs = {"none": (), "statistics": ("statistics",), "vectors": ("vectors",)}[kind.reference]
        arguments = [getattr(reference, need) for need in needs]
        made[name] = usable(partial(kind, *arguments))
    return made


def judged(word: str, every_checkpoint: bool) -> list[tuple[str, int]]:
    """What is to be judged of a run, each with its step: its newest generator, or all that it still has."""
    folder = RunFolder(Path(word))
    if not folder.exists:
        if every_checkpoint:
            raise UsageError(f"{word} is not a run folder, which --every-checkpoint needs")
        return [(word, 0)]
    paths = folder.checkpoints().paths()
    steps = [step_of(path) for path in paths]
    if every_checkpoint:
        return [(str(path), step) for path, step in zip(paths, steps, strict=True)]
    return [(word, steps[-1] if steps else 0)]


def write_statistics(side: Side, path: Path) -> None:
    """Mean and covariance, with the record of how they were made. Raises RunError where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        side.statistics.save(path, side.record)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def keep_scores(word: str, step: int, scores: Scores) -> None:
    """Adds them to the run's `scores.jsonl`, at the step of the generator that was judged, and to
    `evaluation.json` with the whole record. Nothing is kept of a generator outside a run folder."""
    folder = RunFolder(Path(word))
    if not folder.exists:
        return
    kimg = next((line["kimg"] for line in folder.scores() if line["step"] == step), None)
    numbers = {f"metric/{name}": score["value"] for name, score in scores.items()}
    file = folder.path / "evaluation.json"
    with folder.locked():
        with folder.scores_file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, "kimg": kimg, **numbers}) + "\n")
        try:
            earlier = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            earlier = {}
        entries = earlier | {str(step): {**earlier.get(str(step), {}), **scores}}
        write_atomically(file, (json.dumps(entries, indent=2) + "\n").encode())


def _take(update: Any, vectors: Tensor) -> None:
    """What a generator made the extractor say may not be finite; that is no mistake of the user's."""
    try:
        update(vectors.float().cpu())
    except ValueError as error:
        raise RunError(str(error)) from error


def versions() -> dict[str, str]:
    return {"torch": torch.__version__, "pillow": version("pillow")}


def lines_of(scores: Scores) -> Iterable[str]:
    """`fid 12.34`, a line for every number; those that have names of their own follow by these."""
    for name, score in scores.items():
        others = {key: v for key, v in score.items() if isinstance(v, float) and key != "value"}
        yield name if others.keys() - SPREADS else f"{name} {score['value']:.6g}"
        yield from (f"  {key} {value:.6g}" for key, value in others.items())
