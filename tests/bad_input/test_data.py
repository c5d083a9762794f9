"""Data that cannot be used is named in one line, and left as it is."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.commands.helpers import IMAGES, MOODY, Gans, Mood, Refused, everything_below


def test_data_folders(refused: Refused, pictures: Path) -> None:
    Path("empty").mkdir()
    Path("file").write_text("x")
    for spec, mentions in {
        "folder": ("folder:PATH",),
        "folder:": ("folder:PATH",),
        "folder:missing": ("missing", "does not exist"),
        "folder:empty": ("empty", "no images"),
        "folder:file": ("file", "not a folder"),
        f"folder:{pictures}/00.png": ("00.png", "not a folder"),
    }.items():
        refused(2, mentions, f"run {IMAGES} --out run --data", spec)
    assert not Path("run").exists()


@pytest.mark.parametrize("which", ["00.png", "05.png"])
@pytest.mark.parametrize("left", [0.0, 0.05, 0.5, 0.9])
def test_a_truncated_image_is_named(which: str, left: float, refused: Refused, pictures: Path) -> None:
    """The first is read early, for its channels; the others with the rest."""
    damaged = pictures / which
    data = damaged.read_bytes()
    damaged.write_bytes(data[: int(left * len(data))])
    refused(2, (str(damaged),), f"run {IMAGES} --out run")
    assert not Path("run").exists()


def test_fewer_images_than_a_batch(refused: Refused, pictures: Path) -> None:
    refused(2, (str(pictures), "12", "--batch-size"), f"run {IMAGES} --batch-size 13 --out run")
    assert not Path("run").exists()


def test_images_of_another_size_can_be_an_error(refused: Refused, pictures: Path) -> None:
    refused(2, (f"{pictures}/00.png", "12×9", "--fit"), f"run {IMAGES} --fit error --out run")


def test_data_that_is_gone_at_a_resume(refused: Refused, gans: Gans, moody: Mood, pictures: Path) -> None:
    moody("SIGINT 2")
    gans(f"run {IMAGES} {MOODY} --out run")
    shutil.rmtree(pictures)
    before = everything_below(Path("run"))
    refused(2, ("pictures", "does not exist"), "run --resume run")
    assert everything_below(Path("run")) == before


def test_images_are_not_changed_by_anything(pictures: Path, gans: Gans) -> None:
    before = everything_below(pictures)
    gans(f"run {IMAGES} --out run")
    gans("sample run --out pictures.png")
    assert everything_below(pictures) == before
    Image.open("pictures.png").verify()
