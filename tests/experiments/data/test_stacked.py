"""stacked:NAME: three grey pictures in one, and the label that counts its thousand modes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.config.files import differences
from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.core.units import units_of
from experiments.data import stacked
from experiments.data.core.open import open_data
from experiments.data.core.sources import absolute_spec
from experiments.data.stacked import Stacked, StackedImages


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


def test_numbers_keep_their_range_and_their_options(tmp_path: Path) -> None:
    """As those of the grey set: found once, kept in config.json, and the same on resume."""
    values = np.random.default_rng(0).normal(280, 10, (12, 8, 8)).astype(np.float32)
    np.save(tmp_path / "images.npy", values)
    np.save(tmp_path / "labels.npy", np.arange(12) % 3)
    np.save(tmp_path / "others.npy", np.arange(12) % 2)
    flags = {"arch": "mlp", "data": f"stacked:npy:{tmp_path}/images.npy", "batch_size": 4}
    found = resolve(flags)
    assert found.settings.options["data.range"] == (values.min(), values.max())
    assert found.settings.options["data.depth"] == "float32" and found.settings.channels == 3
    assert units_of(found.settings.options) == (values.min(), values.max(), "float32")
    config = found.settings.to_dict()
    np.save(tmp_path / "images.npy", values * 2)
    again = resolve({}, file=config, file_name="config.json").settings
    assert again.options == found.settings.options
    data, _ = open_data(again)
    assert isinstance(data, StackedImages) and data.units == (values.min(), values.max(), "float32")
    parts = data.parts[[5, 0]]
    assert np.array_equal(data.fetch(torch.tensor([5, 0])).numpy(), 2 * values[parts])
    asked = {"data.range": "p1,p99", "data.label": f"{tmp_path}/others.npy"}
    settings = resolve({**flags, **asked}).settings
    assert settings.options["data.range"] == pytest.approx(np.percentile(2 * values, [1, 99]))
    data, _ = open_data(settings)
    assert isinstance(data, StackedImages) and len(data.classes) == 2**3
    stated = resolve({**flags, "data.range": "250,310"}).settings
    assert open_data(stated)[0].units == (250, 310, "float32")  # type: ignore[union-attr]
    with pytest.raises(UsageError, match=r"data npy has no option sigma; it has data\.range"):
        resolve({**flags, "data.sigma": "3"})


def test_the_config_of_an_earlier_version_has_no_options_of_the_grey_set(
    digits: Path, tmp_path: Path
) -> None:
    """Each of its starts found them anew, in numbers as in 8 bits; resuming goes on with what is found."""
    np.save(tmp_path / "images.npy", np.arange(12 * 64, dtype=np.uint16).reshape(12, 8, 8) * 80)
    np.save(tmp_path / "labels.npy", np.arange(12) % 3)
    for spec, depth in ((f"folder:{digits}", "uint8"), (f"npy:{tmp_path}/images.npy", "uint16")):
        flags = {"arch": "mlp", "data": f"stacked:{spec}", "image_size": (8, 8), "batch_size": 4}
        config = resolve(flags).settings.to_dict()
        assert config["data.depth"] == depth
        earlier = {key: value for key, value in config.items() if not key.startswith("data.")}
        again = resolve({}, file=earlier, file_name="config.json").settings
        assert again.to_dict() == config and differences(earlier, again) == []
