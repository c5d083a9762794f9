"""`gans train-classifier`: what it learns, what it keeps, and who takes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.data.core.dataset import InMemoryData
from experiments.data.shapes import Shapes
from experiments.evaluation.classifier_training import (
    Training,
    classifier_name,
    images_shown,
    train_classifier,
)
from metrics.extractors.classifier import Classifier

Gans = Callable[..., Any]
SMALL = "train-classifier --data shapes --image-size 16 --channels 1"
KEPT = Path("cache/classifier/shapes.safetensors")


@pytest.fixture(autouse=True)
def _few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.shapes.LENGTH", 700)


class Watched(InMemoryData):
    """Squares and stripes, which a network learns at once; remembers what was fetched."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        labels = torch.randint(2, (900,), generator=draw)
        images = torch.randint(60, (900, 1, 16, 16), generator=draw)
        images[labels == 0, :, 4:12, 4:12] += 150
        images[labels == 1, :, ::2] += 150
        super().__init__(images.byte(), labels, ("square", "stripes"))
        self.fetched: list[Tensor] = []

    def fetch(self, indices: Tensor) -> Tensor:
        self.fetched.append(indices)
        return super().fetch(indices)


def test_it_learns_and_is_evaluated_on_held_out_images() -> None:
    data, told = Watched(), []
    trained = train_classifier(data, Training(epochs=2, seed=0, device="cpu"), told.append)
    assert trained.accuracy > 0.95 and trained.held_out == 90
    shown, held_out = torch.cat(data.fetched[:-1]), data.fetched[-1]
    assert len(held_out) == 90 and not set(held_out.tolist()) & set(shown.tolist())
    assert sum(told) == len(shown) == images_shown(900, 2) == 2 * 6 * 128


@pytest.mark.long
def test_equal_training_gives_equal_weights() -> None:
    nets = [
        train_classifier(Watched(), Training(1, seed, "cpu"), lambda count: None).network.state_dict()
        for seed in (1, 1, 2)
    ]
    assert all(torch.equal(nets[0][name], nets[1][name]) for name in nets[0])
    assert not torch.equal(nets[0]["head.weight"], nets[2]["head.weight"])


@pytest.mark.long
def test_the_command_trains_once_and_again_with_force(gans: Gans, workplace: Path) -> None:
    first = gans(f"{SMALL} --epochs 2 --json")
    assert first.status == 0, first.err
    told = json.loads(first.out)
    assert told["extractor"] == "classifier:shapes" and Path(told["file"]).samefile(KEPT)
    assert told["held_out"] == 70 and 0 <= told["accuracy"] <= 1 and len(told["classes"]) == 6
    kept = KEPT.read_bytes()
    second = gans(f"{SMALL} --epochs 2")
    assert second.status == 0 and "trained already" in second.err and "--force" in second.err
    assert second.out == f"classifier:shapes accuracy {told['accuracy']:.4f}\n"
    assert KEPT.read_bytes() == kept
    assert gans(f"{SMALL} --epochs 2 --force").status == 0
    assert KEPT.read_bytes() == kept, "equal training, equal bytes"
    KEPT.write_bytes(kept[:1000])
    assert gans(f"{SMALL} --epochs 2").status == 0
    assert KEPT.read_bytes() == kept, "what is damaged is made anew"
    assert gans(f"{SMALL} --epochs 1 --name mine").out.startswith("classifier:mine accuracy ")


def test_names() -> None:
    assert classifier_name("fashion-mnist") == "fashion-mnist"
    assert classifier_name("folder:/data/pets/") == "folder-pets"
    assert classifier_name("zip:cats.zip") == "zip-cats"
    assert classifier_name("stacked:mnist") == "stacked-mnist"
    assert classifier_name("folder:/data/große Katzen") == "folder-gro-e-Katzen"


def test_a_name_belongs_to_one_making(gans: Gans, refused: Any, workplace: Path) -> None:
    assert gans(f"{SMALL} --epochs 2").status == 0
    kept = KEPT.read_bytes()
    for change in ("--epochs 1", "--epochs 2 --seed 1", "--epochs 2 --channels 3"):
        refused(2, ("classifier:shapes", "--force", "--name"), f"{SMALL} {change}")
    assert KEPT.read_bytes() == kept


@pytest.mark.parametrize("name", ["../../escaped", "a/b", ".hidden", "x" * 101, "", "a b"])
def test_names_lead_nowhere_else(name: str, refused: Any, trained: Path) -> None:
    if name:
        refused(2, ("is no name",), "train-classifier --data shapes --image-size 16 --epochs 1 --name", name)
        refused(2, ("is no name",), f"evaluate {trained} -n 12 --extractor", f"classifier:{name}")


def test_two_at_once(refused: Any, workplace: Path) -> None:
    from filelock import FileLock

    KEPT.parent.mkdir(parents=True)
    with FileLock(KEPT.with_suffix(".lock")):
        refused(1, ("another process",), SMALL)


@pytest.mark.parametrize(
    ("flags", "mentions"),
    [
        ("--data folder:pictures", ["folder:pictures", "no labels"]),
        ("--data ring8", ["ring8", "points"]),
        ("--data shapes --image-size 4", ["8 pixels"]),
        ("--data shpaes", ["shpaes", "shapes"]),
        ("--data shapes --image-size 16 --epochs 0", ["--epochs"]),
    ],
)
def test_bad_input(flags: str, mentions: list[str], refused: Any, pictures: Path) -> None:
    refused(2, tuple(mentions), f"train-classifier {flags}")
    assert not Path("cache/classifier").exists()


def test_too_few_images(refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.shapes.LENGTH", 100)
    refused(2, ("shapes", "100 images", "too few"), SMALL)


@pytest.fixture
def shaped(gans: Gans, workplace: Path) -> Path:
    """A run on grey shapes of 16 pixels."""
    words = (
        "--arch dcgan --loss bce --image-size 16 --channels 1 --width 2 --z-dim 4 --batch-size 4 --steps 2"
    )
    outcome = gans(f"run {words} --data shapes --out run")
    assert outcome.status == 0, outcome.err
    return Path("run")


@pytest.mark.long
def test_it_is_chosen_for_its_data_once_it_is_there(
    gans: Gans, refused: Any, shaped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", "nothing")
    before = gans(f"evaluate {shaped} --metrics fid -n 20")
    assert "gans train-classifier --data shapes" in before.err
    assert "classifier" not in before.out
    refused(
        2,
        ("class-modes", "train-classifier --data shapes"),
        f"evaluate {shaped} --metrics class-modes --extractor random-vgg",
    )
    gans(f"{SMALL} --epochs 2")
    after = gans(f"evaluate {shaped} --metrics fid,is,class-modes -n 200 --json")
    assert after.status == 0, after.err
    assert "extractor classifier:shapes: it was trained on shapes; its accuracy" in after.err
    found = json.loads(after.out)
    assert list(found) == ["fd-classifier:shapes", "inception-score", "class-modes"]
    assert (
        1 <= found["class-modes"]["covered"] <= 6 and found["class-modes"]["extractor"] == "classifier:shapes"
    )
    assert gans(f"fid shapes {shaped} -n 20").out.startswith("fd-classifier:shapes ")
    assert "classifier" not in gans(f"evaluate {shaped} --metrics fid -n 20 --extractor random-vgg").out
    refused(2, ("nobody", "no such classifier"), f"evaluate {shaped} -n 20 --extractor classifier:nobody")


@pytest.mark.long
def test_shapes_themselves_fall_into_their_classes_evenly(gans: Gans, workplace: Path) -> None:
    """The true distribution is that of the labels; reals have nearly no divergence from it."""
    from experiments.evaluation.features import ReferenceFeatures
    from experiments.evaluation.sample_sets import DataSamples
    from experiments.evaluation.task_metrics import make_metric
    from metrics.class_modes import ClassModes

    gans(f"{SMALL} --epochs 20")
    extractor = Classifier(KEPT)
    samples = DataSamples("shapes", Shapes("").open((16, 16), 1, "auto"), None, 0)
    reference = ReferenceFeatures(samples, extractor, lambda name, total: lambda count: None)
    metric = make_metric(ClassModes, reference)
    for batch in samples.batches():
        logits = extractor(batch).logits
        assert logits is not None
        metric.update(logits)
    found = metric.compute()
    assert found["covered"] == 6 and found["kl"] < 0.01 and found["high_quality"] > 0.4


def test_it_evaluates_its_own_data_only(gans: Gans, workplace: Path) -> None:
    """Two folders of one name have one name for their classifiers; it is the one's that was trained on."""
    from PIL import Image

    for root, level in (("one", 40), ("two", 200)):
        for number in range(160):
            file = Path(root, "pets", "cat" if number % 2 else "dog", f"{number}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (16, 16), level + number % 2 * 20).save(file)
    assert gans("train-classifier --data folder:one/pets --epochs 1").status == 0
    own, other = (gans(f"fid folder:{root}/pets folder:{root}/pets -n 20") for root in ("one", "two"))
    assert own.out.startswith("fd-classifier:folder-pets ")
    assert "classifier:" not in other.out


def test_stacked_data_takes_the_classifier_of_its_grey_set(
    gans: Gans, refused: Any, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr("experiments.data.stacked.LENGTH", 200)
    for number in range(200):
        file = Path("grey", f"class{number % 2}", f"{number}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 40 + number % 2 * 150).save(file)
    words = "--arch dcgan --loss bce --image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 2"
    assert gans(f"run {words} --data stacked:folder:grey --out run").status == 0
    assert gans("train-classifier --data folder:grey --epochs 4").status == 0
    assert gans(f"{SMALL} --epochs 1").status == 0
    found = gans("evaluate run --metrics stacked-mnist -n 50 --json")
    assert found.status == 0, found.err
    modes = json.loads(found.out)["stacked-mnist"]
    assert modes["extractor"] == "classifier:folder-grey" and 1 <= modes["covered"] <= 8
    refused(
        2,
        ("stacked-mnist", "not classifier:shapes"),
        "evaluate run --metrics stacked-mnist -n 50 --extractor classifier:shapes",
    )
