"""Damaged image files: named in the error, or skipped with a remark."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, Fit, InMemoryData
from experiments.data.core.sources import open_source
from experiments.data.folder import Folder
from tests.experiments.data.helpers import BOTH, fetched, make, noise, opened

pytestmark = pytest.mark.usefixtures("image_cache")

BAD: dict[str, Callable[[Path], object]] = {
    "empty.png": lambda file: file.write_bytes(b""),
    "half.jpg": lambda file: (
        noise(0, 64, 64).save(file),
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    ),
    "half.png": lambda file: (
        noise(0, 64, 64).save(file),
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    ),
    "link.png": lambda file: file.symlink_to("nowhere"),
    "page.gif": lambda file: file.write_text("<html>"),
}


@BOTH
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named(
    tmp_path: Path, name: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, 1)
    BAD[name](tmp_path / name)
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    with pytest.raises(ValueError, match=f"{tmp_path / name} .*--skip-bad") as error:
        fetched(opened(tmp_path, "crop"))
    assert "\n" not in str(error.value)


@BOTH
@pytest.mark.parametrize("fit", ["auto", "crop", "error"])
def test_bad_files_can_be_skipped(
    tmp_path: Path, fit: Fit, held_bytes: int, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    """Bad ones come first, between and last; what is left keeps its order and its labels."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    pixels = make(tmp_path / "b", 3)
    make(tmp_path / "d", 2)
    for name, spoil in BAD.items():
        for folder in ("a", "b", "d"):
            (tmp_path / folder).mkdir(exist_ok=True)
            spoil(tmp_path / folder / name)
    data = opened(tmp_path, fit, skip_bad=True)
    assert isinstance(data, InMemoryData) == bool(held_bytes)
    assert sorted(decoded) == sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*"))
    assert torch.equal(fetched(data), torch.cat([pixels, pixels[:2]]))
    assert len(data) == 5
    assert data.labels is not None
    assert [data.classes[label] for label in data.labels] == ["b", "b", "b", "d", "d"]
    named = "a/empty.png, a/half.jpg, a/half.png, a/link.png, a/page.gif, …"
    assert data.remarks[0] == f"skipped 15 files that cannot be read: {named}"
    assert len(decoded) == 20, "the pixels are fetched without decoding again"
    again = opened(tmp_path, fit, skip_bad=True)
    assert torch.equal(fetched(again), fetched(data))
    assert len(decoded) == 35, "what is in the cache is known to be good"


@BOTH
def test_a_class_of_which_nothing_is_left_is_said_and_keeps_its_number(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers of the others do not change with what can be read, as on resume; of arrays as of files."""
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    values = np.random.default_rng(0).random((6, 8, 8)).astype(np.float32)
    for number, name in enumerate(("bad", "bad", "cat", "cat", "dog", "dog")):
        (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
        if name == "bad":
            values[number] = np.nan
        np.save(tmp_path / f"set/{name}/{number}.npy", values[number])
    np.save(tmp_path / "images.npy", values)
    np.save(tmp_path / "labels.npy", np.array(["bad", "bad", "cat", "cat", "dog", "dog"]))
    for spec in (f"folder:{tmp_path}/set", f"npy:{tmp_path}/images.npy"):
        source = open_source(spec, DataAccess(skip_bad=True))
        data = source.open((8, 8), None, "auto")
        assert tuple(source.class_names()) == data.classes == ("bad", "cat", "dog")
        assert data.labels is not None and data.labels.tolist() == [1, 1, 2, 2]
        (remark,) = [each for each in data.remarks if "class" in each]
        assert remark.startswith("all images of class bad were skipped: nothing is learned of them")
    (tmp_path / "set/bad/0.npy").unlink()
    np.save(tmp_path / "set/bad/0.npy", values[2])
    some = open_source(f"folder:{tmp_path}/set", DataAccess(skip_bad=True)).open((8, 8), None, "auto")
    assert not any("class" in each for each in some.remarks)


def test_one_file_is_no_files_and_none_is_no_remark(tmp_path: Path) -> None:
    make(tmp_path, 2)
    assert opened(tmp_path, skip_bad=True).remarks == ()
    (tmp_path / "000.png").write_bytes(b"")
    assert opened(tmp_path, skip_bad=True).remarks == ("skipped 1 file that cannot be read: 000.png",)


def test_the_first_good_file_is_the_standard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a bad one, though its header can be read and says another size; nor whichever is read first."""
    make(tmp_path, 12)
    BAD["half.png"](tmp_path / "0.png")
    assert len(opened(tmp_path, skip_bad=True)) == 12
    noise(0, 9, 9).save(tmp_path / "008.png")
    read = image_files.read_image

    def slow(store: image_files.Store, name: str, channels: int) -> tuple[image_files.Header, Image.Image]:
        if name == "000.png":
            time.sleep(0.1)
        return read(store, name, channels)

    monkeypatch.setattr(image_files, "read_image", slow)
    with pytest.raises(ValueError, match=r"000\.png is 8×8, .*008\.png is 9×9"):
        opened(tmp_path, skip_bad=True)


def test_other_faults_are_not_skipped(tmp_path: Path, large: None) -> None:
    make(tmp_path, 6)
    noise(0, 9, 9).save(tmp_path / "003.png")
    for _ in range(2):  # nor are they taken for good the next time, when others are in the cache
        with pytest.raises(ValueError, match=r"000\.png is 8×8, .*003\.png is 9×9"):
            opened(tmp_path, skip_bad=True)


def test_only_bad_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    assert Folder(str(tmp_path), DataAccess(skip_bad=True)).native().channels == 3
    with pytest.raises(
        ValueError, match=r"none of the 2 images can be read; the first: .*a\.png .* damaged$"
    ):
        opened(tmp_path, skip_bad=True)
