"""stacked:NAME: three grey pictures in one, and the label that counts its thousand modes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data import stacked
from experiments.data.core.sources import absolute_spec
from experiments.data.stacked import Stacked


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Four classes with five grey pictures each, whose level says which they are."""
    for label in range(4):
        for number in range(5):
            file = tmp_path / "digits" / f"class{label}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), 50 * label + number, dtype=np.uint8)).save(file)
    return tmp_path / "digits"


def test_a_channel_is_a_picture_and_the_label_says_which(
    digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacked, "LENGTH", 3000)
    data = Stacked(f"folder:{digits}").open((8, 8), None, "auto")
    assert (len(data), data.sample_shape, len(data.classes)) == (3000, (3, 8, 8), 64)
    assert data.labels is not None
    indices = torch.tensor([7, 0, 2999, 7])
    images = data.fetch(indices)
    assert images.dtype == torch.uint8 and torch.equal(images[0], images[3])
    classes = images[:, :, 0, 0].long() // 50  # (N, 3)
    assert torch.equal(classes @ torch.tensor([1, 4, 16]), data.labels[indices])
    first, second, third = classes[0].tolist()
    assert data.classes[int(data.labels[7])] == f"class{first} + class{second} + class{third}"
    counts = data.labels.bincount(minlength=64)
    assert counts.min() > 10 and len(counts) == 64, "all triples, about evenly"
    again = Stacked(f"folder:{digits}").open((8, 8), 3, "auto")
    assert torch.equal(again.fetch(indices), images), "one fixed data set"


def test_the_shape_is_that_of_the_grey_set(digits: Path) -> None:
    native = Stacked(f"folder:{digits}").native()
    assert (native.channels, native.first) == (3, (8, 8))


def test_a_folder_inside_the_spec_is_kept_absolute(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(digits.parent)
    Path("mnist").mkdir()  # is not what stacked:mnist means
    assert absolute_spec("stacked:folder:digits") == f"stacked:folder:{digits}"
    assert absolute_spec("stacked:mnist") == "stacked:mnist"


@pytest.mark.parametrize(
    ("spec", "mentions"),
    [
        ("stacked", ["grey set", "stacked:mnist"]),
        ("stacked:shapes", ["grey", "shapes"]),
        ("stacked:ring8", ["grey", "ring8"]),
        ("stacked:nothing", ["nothing"]),
        ("stacked:folder:flat", ["classes"]),
        ("stacked:folder:digits --channels 1", ["3 channels"]),
    ],
)
def test_what_cannot_be_stacked(spec: str, mentions: list[str], digits: Path, refused: Any) -> None:
    (Path("flat")).mkdir()
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save("flat/a.png")
    refused(2, tuple(mentions), f"run --arch dcgan --image-size 8 --steps 1 --out run --data {spec}")
    assert not Path("run").exists()
