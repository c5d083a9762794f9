"""`gans evaluate --by-class`: scores within classes, by labels or by what a classifier sees."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.api import evaluate
from experiments.core import registry
from experiments.evaluation.class_scores import LONGEST_NAME, ClassedVectors, _printable, score_classes
from experiments.evaluation.features import ExtractorOptions, open_extractor
from experiments.evaluation.sample_sets import GeneratedSamples, data_of_run
from experiments.runs.generator import load
from experiments.runs.scores import flatten_scores
from metrics.fid import FrechetDistance
from metrics.kid import KernelDistance, KernelDistanceOptions
from metrics.precision_recall import PrecisionRecall, PrecisionRecallOptions
from metrics.vendi import Vendi
from tests.experiments.evaluation.helpers import alike
from tests.experiments.evaluation.test_evaluate import kept, lines

Gans = Callable[..., Any]
SCORERS = [name for name in registry.names("metric") if registry.load("metric", name).by_class]
SMALL = "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 2 --track local --conditional"
SIZES = {"dark": 60, "light": 70, "T-top": 55, "rare": 4}


def classed(count: int, seed: int, shift: float = 0.0, width: int = 5) -> ClassedVectors:
    """Vectors `(N, D)` of three classes far apart; those of the second are shifted."""
    random = torch.Generator().manual_seed(seed)
    classes = torch.randint(3, (count,), generator=random)
    vectors = torch.randn(count, width, generator=random, dtype=torch.float64) + 20.0 * classes[:, None]
    return ClassedVectors(vectors + shift * (classes == 1)[:, None], classes)


def test_distance_of_a_class_is_that_of_its_samples_alone() -> None:
    """A class whose samples are those of the data, moved by s in each of D features, has distance D s²."""
    real = classed(600, 0)
    fakes = ClassedVectors(real.vectors + 3.0 * (real.classes == 1)[:, None], real.classes)
    order = torch.randperm(600, generator=torch.Generator().manual_seed(1))
    fakes = ClassedVectors(fakes.vectors[order], fakes.classes[order])
    found = score_classes(FrechetDistance, None, real, fakes, ("a", "b", "c")).record
    counts = real.classes.bincount().tolist()
    assert [entry["n"] for entry in found.values()] == [[count, count] for count in counts]
    assert found["b"]["fid"] == pytest.approx(5 * 9.0, rel=1e-9)
    assert found["a"]["fid"] == pytest.approx(0, abs=1e-9) == found["c"]["fid"]


def test_kernel_distance_of_a_class_takes_as_many_as_the_class_has() -> None:
    real, fakes = classed(240, 2), classed(240, 3, shift=1.0)
    found = score_classes(KernelDistance, KernelDistanceOptions(), real, fakes, ("a", "b", "c")).record
    sizes = [min(entry["n"]) for entry in found.values()]
    for index, (entry, size) in enumerate(zip(found.values(), sizes, strict=True)):
        metric = KernelDistance(real.of_class(index), KernelDistanceOptions(subset_size=size))
        metric.update(fakes.of_class(index))
        assert entry == {"n": entry["n"], "kid": metric.compute()["kid"]}, "no spread, which nobody compares"
    assert found["b"]["kid"] > 10 * abs(found["a"]["kid"])


def test_variety_of_a_class_needs_no_real_vectors() -> None:
    """Samples of one class that are all alike count as one."""
    real = classed(300, 4)
    fakes = ClassedVectors(torch.where((real.classes == 2)[:, None], 7.0, real.vectors), real.classes)
    found = score_classes(Vendi, None, real, fakes, ("a", "b", "c")).record
    assert found["c"]["vendi"] == pytest.approx(1.0) and found["a"]["vendi"] > 1.5


def test_classes_with_too_few_images_have_no_score_and_a_line_says_so() -> None:
    real = ClassedVectors(torch.randn(120, 3), torch.tensor([0] * 100 + [1] * 20))
    fakes = ClassedVectors(torch.randn(109, 3), torch.tensor([0] * 100 + [1] * 9))
    found = score_classes(PrecisionRecall, PrecisionRecallOptions(), real, fakes, ("a", "b", "none"))
    assert found.record["b"] == {"n": [9, 20]} and found.record["none"] == {"n": [0, 0]}
    assert {"precision", "recall"} < found.record["a"].keys()
    (line,) = found.remarks
    assert line == "no score of 2 of 3 classes with too few images on either side (at least 10): b, none"
    wide = score_classes(PrecisionRecall, PrecisionRecallOptions(k=150), real, fakes, ("a", "b", "none"))
    assert wide.record["a"] == {"n": [100, 100]}, "an option that asks for more than the class has"


def test_of_very_many_classes_the_most_frequent_are_scored() -> None:
    classes = torch.cat([torch.arange(500), torch.tensor([499] * 20)])
    side = ClassedVectors(torch.randn(len(classes), 2), classes)
    found = score_classes(Vendi, None, side, side, [f"class {number}" for number in range(500)])
    assert len(found.record) == 200 and found.record["class 499"]["n"] == [21, 21]
    assert "of 500 classes, the 200 most frequent ones are scored" in found.remarks


@pytest.fixture
def labelled(gans: Gans, workplace: Path) -> Path:
    """A class-conditional run on four classes of noise at different levels, one of four images."""
    for index, (name, count) in enumerate(SIZES.items()):
        folder = Path("data") / name
        folder.mkdir(parents=True)
        noise = np.random.default_rng(index)
        for number in range(count):
            pixels = noise.integers(60 * index, 60 * index + 50, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:02}.png")
    outcome = gans(f"run --arch dcgan --loss bce --data folder:data {SMALL} --out labelled")
    assert outcome.status == 0, outcome.err
    return Path("labelled")


def test_labels_of_samples_are_those_that_the_generator_was_given(labelled: Path) -> None:
    """Each sample alone, with its label, is the sample of the set."""
    network, settings = load(labelled)[:2]
    samples = GeneratedSamples("run", network, settings, 150, 3, "cpu")  # type: ignore[arg-type]
    labels = samples.labels
    assert labels is not None and labels.shape == (150,) and len(labels.unique()) > 2
    images = torch.cat(list(samples.batches()))
    given: list[Tensor] = []
    network.register_forward_hook(lambda _, arguments, __: given.append(arguments[1]))
    assert torch.equal(torch.cat(list(samples.batches())), images)
    assert torch.equal(torch.cat(given)[:150], labels)
    reals = data_of_run(settings, 50, 0)
    assert reals.labels is not None and reals.data.labels is not None
    assert torch.equal(reals.labels, reals.data.labels[reals.order])


def test_table_record_and_flat_scores(gans: Gans, labelled: Path) -> None:
    words = f"evaluate {labelled} --extractor random-vgg --metrics fid,precision-recall --by-class"
    outcome = gans(f"{words} --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert evaluate(labelled, "fid,precision-recall", extractor="random-vgg", by_class=True) == found
    own = found["fd-random-vgg"]["by_class"]
    assert [*own] == ["T-top", "dark", "light", "rare"] and own["rare"]["n"][1] == 4
    assert "no score of " in outcome.err and "too few images" in outcome.err
    network, settings = load(labelled)[:2]
    counts = GeneratedSamples("run", network, settings, 189, 0, "cpu").labels.bincount(minlength=4)  # type: ignore
    assert [entry["n"] for entry in own.values()] == [
        [int(count), real] for count, real in zip(counts, (55, 60, 70, 4), strict=True)
    ]
    assert "fid" not in own["rare"]
    assert kept(labelled)[-1]["scores"] == found
    last = lines(labelled)[-1]
    for name in ("dark", "light", "T-top"):
        if "fid" in own[name]:
            assert last[f"metric/fd-random-vgg/class/{name}"] == own[name]["fid"]
        recall = found["precision-recall"]["by_class"][name]["recall"]
        assert last[f"metric/precision-recall/class/{name}/recall"] == recall
    assert not any("rare" in name for name in last)
    without = json.loads(gans(f"{words.removesuffix(' --by-class')} --json").out)
    for score in found.values():
        del score["by_class"]
    assert alike(without, found), "the scores of all samples are the same"
    table = gans(words).out.splitlines()
    header = next(line for line in table if line.startswith("class"))
    assert header.split() == ["class", "samples", "real", "fd-random-vgg", "precision", "recall"]
    assert table[-1].startswith("rare") and table[-1].count("too few") == 3


def test_a_failure_within_classes_loses_no_other_score(
    gans: Gans, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr("experiments.evaluation.class_scores.score_classes", fail)
    outcome = gans(f"evaluate {labelled} --extractor random-vgg --metrics fid --by-class --json")
    assert outcome.status == 0 and "no scores within classes: RuntimeError: no memory" in outcome.err
    (score,) = json.loads(outcome.out).values()
    assert score["value"] > 0 and "by_class" not in score


def test_names_of_classes_are_told_apart() -> None:
    long = "x" * 60
    names = [long, f"{long}y", "2", "\n", "dark"]
    shown = [_printable(name, index) for index, name in enumerate(names)]
    assert len(set(shown)) == 5 and shown[2] == "2" and shown[4] == "dark"
    assert all(len(name) <= LONGEST_NAME and name.isprintable() for name in shown)


def test_a_bare_name_is_that_of_all_samples(gans: Gans, labelled: Path) -> None:
    """Also where scores within classes are of another evaluation."""
    words = f"evaluate {labelled} --extractor random-vgg --metrics precision-recall"
    assert gans(f"{words} --by-class").status == 0
    assert gans(f"{words} -n 150").status == 0
    outcome = gans(f"compare {labelled} {labelled} --metric recall --json")
    assert outcome.status == 0, outcome.err
    assert json.loads(outcome.out)["chosen"]["metric"] == "precision-recall/recall"


def test_scores_of_a_class_compare_between_runs(gans: Gans, labelled: Path) -> None:
    metrics = "--extractor random-vgg --metrics kid,precision-recall --set kid.subset_size=100"
    for seed in (0, 1):
        outcome = gans(
            f"run --arch dcgan --loss bce --data folder:data {SMALL} --seed {seed} --out run-{seed}"
        )
        assert outcome.status == 0, outcome.err
        outcome = gans(f"evaluate run-{seed} {metrics} --by-class")
        assert outcome.status == 0, outcome.err
    for words, chosen in (("--metric kid/class/light", "kid/class/light"), ("", "kid")):
        outcome = gans(f"compare run-0 run-1 {words} --json")
        assert outcome.status == 0, outcome.err
        assert json.loads(outcome.out)["chosen"]["metric"] == chosen
    assert "/class/" not in gans("doctor run-0 --json").out, "levels are those of all samples"


def test_without_labels_the_classifier_says_the_class(gans: Gans, labelled: Path) -> None:
    """Of real samples, too, whatever their labels: what it confuses is confused on both sides.

    It was trained with the names of two classes exchanged.
    """
    for name, other in {"dark": "light", "light": "dark", "T-top": "T-top", "rare": "rare"}.items():
        shutil.copytree(Path("data") / name, Path("exchanged") / other)
    outcome = gans("train-classifier --data folder:exchanged --image-size 8 --epochs 6 --name levels")
    assert outcome.status == 0, outcome.err
    words = SMALL.removesuffix(" --conditional")
    assert gans(f"run --arch dcgan --loss bce --data folder:data {words} --out plain").status == 0
    outcome = gans("evaluate plain --extractor classifier:levels --metrics fid,class-modes --by-class --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    own, modes = found["fd-classifier:levels"]["by_class"], found["class-modes"]
    assert "by_class" not in modes and sum(entry["n"][0] > 0 for entry in own.values()) == modes["covered"]
    reals = data_of_run(load(Path("plain"))[1], None, 0)
    extractor = open_extractor(ExtractorOptions("classifier:levels", device="cpu"), True, "folder:data")
    seen = torch.cat([extractor(batch).logits.argmax(dim=1) for batch in reals.batches()])  # type: ignore
    counts = seen.bincount(minlength=4).tolist()
    assert [entry["n"][1] for entry in own.values()] == counts != reals.labels.bincount().tolist()  # type: ignore
    assert sum(entry["n"][0] for entry in own.values()) == 189


def test_what_has_no_classes_is_refused(gans: Gans, refused: Any, labelled: Path, finished: Path) -> None:
    words = SMALL.removesuffix(" --conditional")
    assert gans(f"run --arch dcgan --loss bce --data folder:data {words} --out plain").status == 0
    plain = "evaluate plain --extractor random-vgg --by-class"
    refused(2, ("--by-class", "no labels", "train-classifier --data"), plain)
    refused(2, ("--by-class", "has none"), f"evaluate {finished} --metrics fid --by-class")
    others = f"evaluate {labelled} --extractor random-vgg --metrics path-length --by-class"
    refused(2, ("--by-class", "fid", "kid"), others)


@pytest.mark.parametrize("name", SCORERS)
def test_every_metric_that_scores_classes_does(name: str) -> None:
    kind = registry.load("metric", name)
    assert kind.takes == "vectors" and kind.reference in ("none", "statistics", "vectors")
    options = kind.options_type() if kind.options_type else None
    found = score_classes(kind, options, classed(300, 5), classed(300, 6), ("a", "b", "c")).record
    assert all({*entry} == {"n", *kind.higher_is_better} for entry in found.values())


def test_records_of_classes_are_checked() -> None:
    from experiments.runs.evaluation_records import check_scores

    good = {"a": {"n": [0, 5]}, "b": {"n": [60, 50], "fid": 1.5}}
    for classes, is_kept in (
        (good, True),
        ({"a": {"n": [1]}}, False),
        ({"a": {"n": [5, 5], "fid": "low"}}, False),
        ({"a\n": {"n": [5, 5]}}, False),
        ([1], False),
    ):
        assert bool(check_scores({"fid": {"value": 1.0, "by_class": classes}})) == is_kept
    assert flatten_scores({"fid": {"value": 1.0, "by_class": good}}) == {
        "metric/fid": 1.0,
        "metric/fid/class/b": 1.5,
    }
