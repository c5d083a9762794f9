"""Scores with a record of how they were made: two sides against each other, and a run against its data."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments import catalogue
from experiments.checkpoint import write_atomically
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
from experiments.sampling import load_generator
from metrics import Metric
from metrics.core.statistics import Moments, Statistics, frechet_distance
from metrics.extractors import Extractor

Scores = dict[str, dict[str, Any]]
ALIASES = {"is": "inception-score", "pr": "precision-recall"}  # as papers abbreviate them
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
        self._extractor: Extractor | None = None

    @property
    def extractor(self) -> Extractor:
        if self._extractor is None:
            self._extractor = open_extractor(self.how, self.say)
        return self._extractor

    def sides(self, a: str, b: str) -> tuple[Side, Side]:
        """Both sides. Data that is compared with a generator is brought to the form of its samples."""
        for generator in filter(is_generator, (a, b)):
            if self.look == Look():
                self.look = look_of(load_generator(Path(generator), self.say)[1])
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
        images = open_generated(word, self.count, self.seed, self.how.device, self.say)
        moments = Moments()
        for features in extract(images, self.extractor, self.advance):
            _take(moments.update, features.vectors)
        record = {**self.extractor.description(), "n": len(images), "shape": list(images.shape)}
        return Side(word, usable(moments.statistics), len(images), record)


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


def make_metrics(names: Sequence[str], reference: Reference) -> dict[str, Metric]:
    """Metrics by name, each with what it needs of the real side."""
    made: dict[str, Metric] = {}
    for name in names:
        kind: type[Metric] = catalogue.load("metric", ALIASES.get(name, name))
        if kind.takes == "samples":
            raise UsageError(
                f"metric {name} judges points or pairs of samples, not one set of images; "
                f"there are: {', '.join(USUAL)}"
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


USUAL = ("fid", "fid-infinity", "kid", "precision-recall", "density-coverage", "is")


def evaluate(
    images: ImageSet, reference: Reference, names: Sequence[str], advance: Advance, say: Say
) -> dict[str, dict[str, float]]:
    """Scores of generated images by each metric: metric → score → number."""
    made = make_metrics(names, reference)
    for features in extract(images, reference.extractor, advance):
        for metric in made.values():
            taken = features.logits if metric.takes == "logits" else features.vectors
            assert taken is not None
            _take(metric.update, taken)
    found = {}
    for name, metric in made.items():
        found[name] = usable(metric.compute)
        for remark in metric.remarks:
            say(f"{name}: {remark}")
    return found


def score_generator(
    word: str, names: Sequence[str], count: int, seed: int, extractor: Extractor, say: Say, advance: Advance
) -> Scores:
    """The generator of a run folder or a checkpoint against the data it was trained on, as the critic saw it:
    metric → its scores and how they were made."""
    images = open_generated(word, count, seed, str(extractor.device), say)
    if not images.settings.data:
        raise UsageError(f"{word} does not say which data it was trained on; give its run folder")
    reference = Reference(data_of_run(images.settings, count, seed), extractor, advance)
    found = evaluate(images, reference, names, advance, say)
    record: dict[str, Any] = {**extractor.description(), "n": [len(images), len(reference.images)]}
    record |= {"quantization": "uint8", "seed": seed, "reference": reference.hash, **versions()}
    scores: Scores = {}
    for name, numbers in found.items():
        # Only Inception's distance is called FID.
        key = name.replace("fid", extractor.distance, 1) if name.startswith("fid") else name
        first, value = next(iter(numbers.items()))
        own_name = first in (name.replace("-", "_"), ALIASES.get(name, name).replace("-", "_"))
        others = {k: v for k, v in numbers.items() if not (own_name and k == first)}
        scores[key] = {"value": value, **others, **record}
    return scores


def judged(word: str, every_checkpoint: bool) -> list[tuple[str, int]]:
    """What is to be judged of a run, each with its step: its newest generator, or all that it still has."""
    folder = RunFolder(Path(word))
    if not folder.exists:
        if every_checkpoint:
            raise UsageError(f"{word} is not a run folder, which --every-checkpoint needs")
        return [(word, 0)]
    paths = folder.checkpoints().paths()
    steps = [int(path.stem.removeprefix("step-")) for path in paths]
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
        is_pair = bool(others) and next(iter(others.values())) == score["value"]
        yield name if is_pair else f"{name} {score['value']:.6g}"
        yield from (f"  {key} {value:.6g}" for key, value in others.items())
