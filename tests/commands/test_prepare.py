"""gans prepare: a data set in a zip file, which others' trainers read as well; killed, it goes on."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.core import preparation
from experiments.data.core.dataset import DataSet
from experiments.data.core.image_files import ImageFiles
from experiments.data.core.sources import open_source
from tests.commands.helpers import Gans, Refused

COUNT = 10


@pytest.fixture
def photos(workplace: Path) -> Path:
    """Photographs of several sizes in two classes."""
    for number in range(COUNT):
        folder = Path("photos") / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(256, size=(20 + number, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return Path("photos")


def samples_of(spec: str) -> tuple[DataSet, torch.Tensor]:
    data = open_source(spec).open((16, 16), 3, "crop")
    return data, data.fetch(torch.arange(len(data)))


PREPARE = "prepare folder:photos --image-size 16 --fit crop --out set.zip"


def test_a_prepared_set_is_the_set(photos: Path, gans: Gans) -> None:
    outcome = gans(PREPARE)
    assert outcome.out == "set.zip\n"
    assert f"wrote {COUNT} images of 16×16\n" in outcome.err and "left out" not in outcome.err
    assert not list(Path().glob(".*.parts")) and not Path("cache/decoded").exists(), "nothing else is kept"
    expected, prepared = samples_of("folder:photos"), samples_of("zip:set.zip")
    assert torch.equal(prepared[1], expected[1])
    assert prepared[0].labels is not None and expected[0].labels is not None
    assert torch.equal(prepared[0].labels, expected[0].labels)
    assert prepared[0].classes == expected[0].classes == ("cat", "dog")


def test_it_is_what_nvlabs_dataset_tool_writes(photos: Path, gans: Gans) -> None:
    """Their loader sorts the names of images, opens each, wants one shape, and `labels` of `dataset.json`."""
    gans(PREPARE)
    with zipfile.ZipFile("set.zip") as packed:
        names = sorted(name for name in packed.namelist() if name.endswith(".png"))
        assert names == [f"00000/img{number:08}.png" for number in range(COUNT)]
        assert {info.compress_type for info in packed.infolist()} == {zipfile.ZIP_STORED}
        labels = dict(json.loads(packed.read("dataset.json"))["labels"])
        assert [labels[name] for name in names] == [0] * 5 + [1] * 5
        shapes = {np.asarray(Image.open(io.BytesIO(packed.read(name)))).shape for name in names}
    assert shapes == {(16, 16, 3)}
    assert preparation.image_name(123_456_789 // 10) == "12345/img12345678.png"


def test_what_others_do_not_take_is_said(photos: Path, gans: Gans) -> None:
    told = gans("prepare folder:photos --image-size 12x16 --fit crop --out set.zip").err
    assert "whose side is a power of two, not 12×16: the file is for gans alone" in " ".join(told.split())
    assert not preparation.unfit_for_others((3, 16, 16)) and not preparation.unfit_for_others((1, 8, 8))
    for shape in ((3, 24, 24), (3, 16, 8), (4, 16, 16)):
        assert preparation.unfit_for_others(shape)


def test_a_killed_preparation_goes_on_to_the_same_bytes(
    photos: Path, gans: Gans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "PART_BYTES", 3 * 3 * 16 * 16)  # of three images
    gans(PREPARE.replace("set.zip", "whole.zip"))
    fetched: list[list[int]] = []
    fetch = ImageFiles.fetch

    def fetch_twice(self: ImageFiles, indices: torch.Tensor) -> torch.Tensor:
        fetched.append(indices.tolist())
        if len(fetched) == 3:
            raise KeyboardInterrupt
        return fetch(self, indices)

    monkeypatch.setattr(ImageFiles, "fetch", fetch_twice)
    assert gans(PREPARE).status == 130
    assert not Path("set.zip").exists()
    gans(PREPARE)
    assert fetched == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [6, 7, 8], [9]]
    assert Path("set.zip").read_bytes() == Path("whole.zip").read_bytes()


def test_other_input_begins_anew(photos: Path, gans: Gans, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_labels_of", stop)  # when all parts are there
        assert gans(PREPARE).status == 130
    Image.new("RGB", (30, 30), "red").save("photos/cat/0.png")
    gans(PREPARE)
    assert torch.equal(samples_of("zip:set.zip")[1], samples_of("folder:photos")[1])


def test_arrays_and_drawn_sets_and_held_out_parts(workplace: Path, gans: Gans) -> None:
    np.savez("set.npz", x_train=np.full((3, 8, 8), 1, np.uint8), x_test=np.full((2, 8, 8), 9, np.uint8))
    gans("prepare npz:set.npz --out train.zip")
    gans("prepare npz:set.npz --held-out --out test.zip")
    for name, count, value in (("train", 3, 1), ("test", 2, 9)):
        data = open_source(f"zip:{name}.zip").open((8, 8), 1, "auto")
        assert data.fetch(torch.arange(len(data))).unique().tolist() == [value] and len(data) == count
        assert data.labels is None
    done = json.loads(gans("prepare npz:set.npz --image-size 4 --channels 3 --json --out s.zip").out)
    first, *others = (f"00000/img0000000{number}.png" for number in range(3))
    expected = {"file": "s.zip", "images": 3, "shape": [3, 4, 4], "classes": 0, "attributes": []}
    assert done == {**expected, "copies": [[other, first] for other in others]}


def test_attributes_are_kept(photos: Path, gans: Gans) -> None:
    """Words and binary ones, of names that CSV quotes."""
    rows = [f"{('cat', 'dog')[n % 2]}/{n}.png,{('red', 'blue')[n // 5]},{n % 3 // 2}" for n in range(COUNT)]
    Path("photos/attributes.csv").write_text("\n".join(['file,"hue, mostly",is bright', *rows]))
    done = json.loads(gans(f"{PREPARE} --json").out)
    assert done["attributes"] == ["hue, mostly", "is bright"]
    expected, prepared = (samples_of(spec)[0].attributes for spec in ("folder:photos", "zip:set.zip"))
    assert expected is not None and prepared is not None
    assert prepared.groups == expected.groups and torch.equal(prepared.table, expected.table)
    Path("out").mkdir()
    with zipfile.ZipFile("set.zip") as packed:
        packed.extractall("out")
    unpacked = samples_of("folder:out")[0].attributes
    assert unpacked is not None and torch.equal(unpacked.table, expected.table)


def test_attributes_that_held_out_images_lack_are_said(photos: Path, gans: Gans) -> None:
    for number in range(COUNT):
        part = ("train", "test")[number % 2]
        Path("photos", part).mkdir(exist_ok=True)
        Path("photos", ("cat", "dog")[number % 2], f"{number}.png").rename(f"photos/{part}/{number}.png")
    rows = [f"{('train', 'test')[n % 2]}/{n}.png,{n // 5}" for n in range(COUNT)]
    Path("photos/attributes.csv").write_text("\n".join(["file,bright", *rows]))
    told = gans(PREPARE)
    assert samples_of("zip:set.zip")[0].attributes is not None and "left out" not in told.err
    told = gans(f"{PREPARE} --held-out --force")
    assert "the held-out images have no attributes, so bright are left out" in " ".join(told.err.split())
    assert samples_of("zip:set.zip")[0].attributes is None


def test_what_cannot_be_prepared(photos: Path, refused: Refused, gans: Gans) -> None:
    refused(2, ("points",), "prepare ring8 --out set.zip")
    refused(2, ("--image-size",), "prepare folder:photos --out set.zip")
    refused(2, ("20×24", "--fit"), "prepare folder:photos --image-size 16 --out set.zip")
    refused(2, ("--held-out", "no test/"), f"{PREPARE} --held-out")
    refused(2, ("set.npz", ".zip"), "prepare folder:photos --image-size 16 --out set.npz")
    refused(2, ("--set arch.width", "no data"), f"{PREPARE} --set arch.width=3")
    Path("photos/cat/0.png").write_text("words")
    refused(2, ("photos/cat/0.png", "not an image"), PREPARE)
    told = gans(f"{PREPARE} --skip-bad").err
    assert f"wrote {COUNT - 1} images of 16×16; 1 that cannot be read is left out" in " ".join(told.split())
    assert len(samples_of("zip:set.zip")[0]) == COUNT - 1
    Path("other.zip").write_text("words")
    refused(2, ("other.zip exists",), PREPARE.replace("set.zip", "other.zip"))
