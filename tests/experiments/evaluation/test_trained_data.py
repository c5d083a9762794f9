"""Data that has changed since a run was trained on it is refused where the run is judged by it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.core.errors import UsageError
from experiments.data.core.dataset import AttributeGroup, Attributes, InMemoryData
from experiments.data.core.fingerprint import DataFingerprint, read_fingerprints, take_fingerprint
from experiments.data.core.holdout import split_indices
from experiments.evaluation.trained_data import trained_on
from experiments.exploration.neighbours import NeighbourSearch
from experiments.runs.folder import RunFolder

RUN = "run --arch dcgan --loss bce --data folder:data --image-size 16 --batch-size 8 --width 4 --steps 1"
QUICK = "--extractor random-vgg --metrics fid -n 20 --json"


def save_noise(path: Path, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (4, 4, 3), generator=random, dtype=torch.uint8)
    Image.fromarray(pixels.numpy()).resize((16, 16)).save(path)


@pytest.fixture
def pictures(workplace: Path) -> Path:
    """A folder of 100 coarse pictures."""
    Path("data").mkdir()
    for number in range(100):
        save_noise(Path(f"data/{number:03}.png"), number)
    return Path("data")


def test_a_changed_number_of_files_is_refused_wherever_the_split_counts(
    gans: Any, refused: Any, pictures: Path
) -> None:
    assert gans(f"{RUN} --holdout 0.4 --skip-bad --out run").status == 0
    for reference in ("held-out", "train"):
        assert gans(f"evaluate run --reference {reference} {QUICK}").status == 0
    save_noise(Path("data/999.png"), 999)
    others = set(split_indices(100, 0.4, 0)[0].tolist()) & set(split_indices(101, 0.4, 0)[1].tolist())
    assert len(others) > 10  # of the images that would now be held out, training has seen so many
    words = ("run was trained on (60 training samples then, 61 now, so that others are held out now)",)
    for command in (
        *(f"evaluate run --reference {each} {QUICK}" for each in ("held-out", "train")),
        f"evaluate run/checkpoints/step-00000001.pt --reference held-out {QUICK}",
        "audit run --extractor random-vgg",
    ):
        told = refused(2, words, command)
    settings = RunFolder(Path("run")).settings()
    search = NeighbourSearch("cpu", "random-vgg")
    with pytest.raises(UsageError, match="60 training samples then, 61 now"):
        search.nearest(settings, torch.zeros(3, 16, 16), path=Path("run"))
    advised = told.partition("train anew with gans ")[2]
    assert gans(advised).status == 0 and gans(f"evaluate run-anew --reference held-out {QUICK}").status == 0
    Path("data/999.png").unlink()
    assert gans(f"evaluate run --reference held-out {QUICK}").status == 0
    Path("data/003.png").write_bytes(b"no picture")  # it is left out, so that one fewer is there
    refused(2, ("60 training samples then, 59 now",), f"evaluate run --reference held-out {QUICK}")


def test_as_many_other_files_are_refused(gans: Any, refused: Any, pictures: Path) -> None:
    """One is removed and another added, so that those between them have other places in the split."""
    assert gans(f"{RUN} --holdout 0.4 --out run").status == 0
    Path("data/010.png").unlink()
    save_noise(Path("data/999.png"), 999)
    words = ("as many samples, but others: 60",)
    refused(2, words, f"evaluate run --reference held-out {QUICK}")
    assert "gans run --config run/config.json --out run-anew" in refused(2, words, "audit run")


def test_without_held_out_images_statistics_of_other_data_are_refused(
    gans: Any, refused: Any, pictures: Path
) -> None:
    assert gans(f"{RUN} --out run").status == 0
    Path("data/010.png").unlink()
    told = refused(2, ("(100 training samples then, 99 now): bring it back",), f"evaluate run {QUICK}")
    assert "held out" not in told
    # Other data is compared with on purpose by its own command.
    assert gans("fid folder:data run --extractor random-vgg -n 20").status == 0
    # The number of samples is what older versions have left in their checkpoints.
    config = Path("run/config.json")
    content = json.loads(config.read_text())
    assert content.pop("data")[0]["count"] == 100
    config.write_text(json.dumps(content))
    refused(2, ("(100 training samples then, 99 now)",), f"evaluate run {QUICK}")
    for file in Path("run/checkpoints").iterdir():
        file.unlink()
    assert gans(f"evaluate run {QUICK}").status == 0  # nothing says what it was trained on


def test_a_run_goes_on_with_what_it_is_forced_to(gans: Any, pictures: Path) -> None:
    assert gans(f"{RUN} --out run").status == 0
    Path("data/010.png").unlink()
    assert gans("run --resume run --steps 2 --force").status == 0
    assert [each.count for each in RunFolder(Path("run")).trained_on] == [99]
    assert gans(f"evaluate run {QUICK}").status == 0


LABELLED = "--data npy:images.npy --image-size 16 --batch-size 8 --width 4 --steps 1 --track local"
OTHER_LABELS = "(the same samples, but other labels, attributes or names of classes): bring it back"


@pytest.mark.parametrize("change", [lambda labels: (labels + 1) % 3, lambda labels: labels + 5])
def test_other_labels_of_the_same_pictures_are_refused(
    gans: Any, refused: Any, workplace: Path, change: Any
) -> None:
    """Permuted, or with other names: the third class is no longer what it was."""
    labels = np.arange(60) % 3
    np.save("images.npy", np.random.default_rng(0).integers(256, size=(60, 16, 16, 3), dtype=np.uint8))
    np.save("labels.npy", labels)
    plain = f"run --arch dcgan --loss bce {LABELLED}"
    assert gans(f"{plain} --conditional --holdout 0.4 --out run").status == 0
    assert gans(f"{plain} --out other").status == 0
    np.save("labels.npy", change(labels))
    refused(2, (OTHER_LABELS, "--out run-anew"), f"evaluate run --by-class {QUICK}")
    refused(2, (OTHER_LABELS,), f"evaluate run --reference held-out {QUICK}")
    refused(2, (OTHER_LABELS, "--force"), "run --resume run --steps 2")
    assert gans(f"evaluate other {QUICK}").status == 0  # which uses no labels
    # Without a hash in its config and checkpoint, as runs of earlier versions are, nothing tells them.
    config = Path("run/config.json")
    content = json.loads(config.read_text())
    assert len(content["data"][0].pop("labels")) == 16
    config.write_text(json.dumps(content))
    assert gans(f"evaluate run {QUICK}").status == 0
    assert gans("run --resume run --steps 2 --force").status == 0
    assert gans(f"evaluate run --by-class {QUICK}").status == 0


def test_fingerprints_know_labels_and_attributes() -> None:
    data = InMemoryData(torch.zeros(6, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 2] * 2), "abc")
    groups = AttributeGroup("hue", ("red", "blue")), AttributeGroup("filled", ("0", "1"))
    data.attributes = Attributes(groups, torch.eye(3).repeat(2, 1))
    whole = take_fingerprint(data)
    used = whole.with_conditions(True, False), whole.with_conditions(False, True)
    assert [(bool(each.labels), bool(each.attributes)) for each in used] == [(True, False), (False, True)]
    assert read_fingerprints(json.loads(json.dumps([each.to_json() for each in used]))) == used
    assert "labels" not in whole.with_conditions(False, False).to_json()
    assert all(map(whole.is_like, (*used, whole.with_conditions(False, False))))
    data.labels = data.labels.flip(0)
    assert [take_fingerprint(data).is_like(each) for each in used] == [False, True]
    data.labels, data.classes = data.labels.flip(0), ("a", "c", "b")
    assert [take_fingerprint(data).is_like(each) for each in used] == [False, True]
    data.classes = ("a", "b", "c")
    data.attributes = Attributes(groups, torch.eye(3).repeat(2, 1).flip(0))
    assert [take_fingerprint(data).is_like(each) for each in used] == [True, False]
    part = torch.tensor([4, 1])
    other = InMemoryData(data.samples[part], data.labels[part], "abc")
    assert take_fingerprint(data, part).labels == take_fingerprint(other).labels != whole.labels
    data.attributes = None
    assert take_fingerprint(data).with_conditions(False, True).labels == whole.labels  # as their attribute


def test_fingerprints_know_sets_again_and_tell_others() -> None:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (64, 3, 8, 8), generator=random, dtype=torch.uint8)
    pixels[:, :, :4, :4] = 4 * torch.arange(64, dtype=torch.uint8).view(-1, 1, 1, 1)
    found = take_fingerprint(InMemoryData(pixels))
    assert found.count == 64 and found.levels[:2] == (0.0, 16.0) and found.levels[-1] == 252.0
    assert read_fingerprints(json.loads(json.dumps([found.to_json()]))) == (found,)
    decoded = pixels.int().add(torch.randint(-1, 2, pixels.shape, generator=random)).clamp(0, 255)
    assert found.is_like(take_fingerprint(InMemoryData(decoded.to(torch.uint8))))  # by another decoder
    order = torch.cat([torch.arange(20), torch.arange(21, 64), torch.tensor([20])])
    assert not found.is_like(take_fingerprint(InMemoryData(pixels[order])))
    assert not found.is_like(take_fingerprint(InMemoryData(pixels[:63])))
    assert found.is_like(DataFingerprint(64)) and not found.is_like(DataFingerprint(63))
    part = take_fingerprint(InMemoryData(pixels), torch.arange(32))
    assert part == take_fingerprint(InMemoryData(pixels[:32]))


@pytest.mark.parametrize(
    "content", [None, 3, [3], [{"count": -1, "levels": []}], [{"count": 3, "levels": ["a"]}], [{"count": 3}]]
)
def test_what_is_no_fingerprint_is_none(content: object) -> None:
    assert read_fingerprints(content) == ()


def test_an_older_run_on_two_domains_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checkpoints have the number of samples of both together."""
    folder: Any = SimpleNamespace(
        trained_on=(), checkpoints=lambda: SimpleNamespace(newest=lambda: {"data": {"count": 9}})
    )
    for arch, found in (("dcgan", (DataFingerprint(9),)), ("cyclegan", ())):
        settings: Any = SimpleNamespace(arch=arch)
        assert trained_on(folder, settings) == found
