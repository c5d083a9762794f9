"""Splits that translators are evaluated on: the held-out images of a folder, or those of training."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments.config.resolve import resolve
from experiments.evaluation.protocols import ReferenceChoice
from experiments.evaluation.tasks import open_evaluation_tasks
from gans.pix2pix import UNet
from tests.conftest import ARCHITECTURES, DATA
from tests.experiments.evaluation.helpers import DIRECTIONS, EACH, FEW, OF_FEATURES, SIZE, Gans


def write(folder: Path, level: int, count: int = 20) -> None:
    """Images of about that level of grey."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(level)
    for number in range(count):
        pixels = noise.integers(level, level + 20, size=(*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")


@pytest.fixture
def domains(workplace: Path) -> Iterator[Path]:
    """Two domains, 100 / 127.5 apart; those in `test` are to be laid beside them, and 50 apart."""
    for name, level in (("A", 50), ("B", 150), ("testA", 60), ("testB", 110)):
        write(workplace / "data" / name, level, 20 if len(name) == 1 else 12)
    for name in ("testA", "testB"):
        shutil.move(workplace / "data" / name, workplace / name)
    yield workplace / "data"


def test_a_folder_without_a_test_part(
    domains: Path, run: Any, gans: Gans, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run("pix2pix", f"--data folder:{domains} --image-size 16")
    monkeypatch.setattr(UNet, "translate", lambda self, images, to: images)
    outcome = gans(f"evaluate {folder} {FEW} --json")
    score = json.loads(outcome.out)["l1/to-B"]
    assert (score["split"], score["n"]) == ("training", [20, 20])
    assert score["value"] == pytest.approx(100 / 127.5, abs=0.02)
    assert "has no images for judging" in outcome.err and "the training images are judged" in outcome.err


def test_a_folder_with_a_test_part(
    domains: Path, run: Any, gans: Gans, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run("pix2pix", f"--data folder:{domains} --image-size 16")
    monkeypatch.setattr(UNet, "translate", lambda self, images, to: images)
    shutil.move("testA", domains / "testA")
    refused(2, ("testA/", "testB/"), f"evaluate {folder} {FEW}")
    shutil.move("testB", domains / "testB")
    outcome = gans(f"evaluate {folder} {FEW} --json")
    score = json.loads(outcome.out)["l1/to-B"]
    assert (score["split"], score["n"]) == ("held-out", [12, 12])
    assert score["value"] == pytest.approx(50 / 127.5, abs=0.02)
    assert "training images" not in outcome.err


@pytest.mark.long
def test_names_alone_make_no_truth(domains: Path, run: Any, evaluated: Any, refused: Any) -> None:
    """Of a cyclegan's folder: the same name in both need not be the same at every pixel."""
    for name in ("testA", "testB"):
        shutil.move(name, domains / name)
    folder = run("cyclegan", f"--data folder:{domains} --image-size 16")
    assert list(evaluated(folder)) == [f"{name}/{way}" for way in ("to-A", "to-B") for name in OF_FEATURES]
    refused(2, ("metric l1", "nobody knows", "pix2pix"), f"evaluate {folder} {FEW} --metrics l1")


def test_classes_as_attributes_have_no_held_out_images(domains: Path, run: Any, gans: Gans) -> None:
    folder = run("stargan", f"--data folder:{domains} --image-size 16")
    outcome = gans(f"evaluate {folder} {FEW} --json")
    found = json.loads(outcome.out)
    assert list(found) == OF_FEATURES
    assert {score["split"] for score in found.values()} == {"training"}
    assert "keeps no images with attributes from training" in outcome.err


@pytest.mark.parametrize(
    ("reference", "splits"),
    [("train", ["training"]), ("held-out", ["held-out"]), ("both", ["held-out", "training"])],
)
@EACH
def test_the_split_is_the_one_that_is_asked_for(arch: str, reference: str, splits: list[str]) -> None:
    data = DATA[ARCHITECTURES[arch].task]
    settings = resolve({"arch": arch, "data": data, "image_size": SIZE, "width": 2, "device": "cpu"}).settings
    tasks = open_evaluation_tasks(settings, 4, 0, "cpu", ReferenceChoice(reference))
    assert [task.record["split"] for task in tasks] == [split for split in splits for _ in DIRECTIONS[arch]]
