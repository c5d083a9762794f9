"""Npy and npz: arrays come out as the same pictures in a folder do, or with one clear line."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from experiments.data.core import array_images, picture_arrays
from experiments.data.core.dataset import DataAccess, DataSet, Fit, NoHeldOutDataError, Source
from experiments.data.core.sources import open_source
from experiments.data.folder import Folder
from tests.experiments.data.helpers import fetched

pytestmark = pytest.mark.usefixtures("image_cache")
GREY, RGB, RGBA = (5, 12, 10), (5, 12, 10, 3), (5, 12, 10, 4)


def noise(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def save(root: Path, pixels: NDArray[Any], form: str, **others: NDArray[Any]) -> str:
    """Writes pictures and further arrays; the spec of the file."""
    if form == "npy":
        np.save(root / "images.npy", pixels)
        for name, array in others.items():
            np.save(root / f"{name}.npy", array)
        return f"npy:{root}/images.npy"
    write: Any = np.savez if form == "stored" else np.savez_compressed
    write(root / "set.npz", images=pixels, **others)
    return f"npz:{root}/set.npz"


FORMS = pytest.mark.parametrize("form", ["npy", "stored", "compressed"])


@FORMS
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("shape", [GREY, RGB, RGBA])
def test_arrays_are_the_pictures_of_a_folder_bit_for_bit(
    tmp_path: Path, form: str, stream: bool, shape: tuple[int, ...]
) -> None:
    pixels = noise(shape)
    (tmp_path / "folder").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"folder/{number}.png")
    spec, folder = save(tmp_path, pixels, form), Folder(str(tmp_path / "folder"))
    source = open_source(spec, DataAccess(stream=stream))
    assert source.native().channels == folder.native().channels
    fits: tuple[Fit, ...] = ("crop", "pad", "stretch")
    for fit in fits:
        for size in ((12, 10), (8, 8)):
            for channels in (1, 3, 4):
                data = source.open(size, channels, fit)
                assert data.on_demand == stream
                assert torch.equal(fetched(data), fetched(folder.open(size, channels, fit)))


@pytest.mark.parametrize("by_columns", [False, True])
@FORMS
def test_channels_may_come_first_or_last(tmp_path: Path, form: str, by_columns: bool) -> None:
    pixels = noise(RGB)
    first = pixels.transpose(0, 3, 1, 2)
    spec = save(tmp_path, np.asfortranarray(first) if by_columns else np.ascontiguousarray(first), form)
    source = open_source(spec)
    assert (source.native().size, source.native().channels) == ((12, 10), 3)
    assert torch.equal(fetched(source.open(None, None, "auto")), torch.from_numpy(first.copy()))


@FORMS
def test_labels_are_numbers_words_or_one_hot(tmp_path: Path, form: str) -> None:
    for number, (labels, names) in enumerate(
        (
            (np.array([7, 3, 7, 7, 3]), ("3", "7")),
            (np.array([[1], [0], [1], [1], [0]], np.uint8), ("0", "1")),
            (np.array(["dog", "cat", "dog", "dog", "cat"]), ("cat", "dog")),
            (np.eye(2)[[1, 0, 1, 1, 0]], ("0", "1")),
        )
    ):
        root = tmp_path / str(number)
        root.mkdir()
        source = open_source(save(root, noise(GREY), form, labels=labels))
        data = source.open((12, 10), 1, "auto")
        assert data.labels is not None and data.labels.tolist() == [1, 0, 1, 1, 0]
        assert source.class_names() == data.classes == names


def test_names_of_files_of_labels(tmp_path: Path) -> None:
    for pictures, labels in {
        "x_train": "y_train",
        "X": "y",
        "k49-train-imgs": "k49-train-labels",
        "faces": "faces-labels",
        "train_x": "train_y",
        "max": "max_labels",
    }.items():
        np.save(tmp_path / f"{pictures}.npy", noise(GREY))
        np.save(tmp_path / f"{labels}.npy", np.arange(5))
        assert len(open_source(f"npy:{tmp_path}/{pictures}.npy").class_names()) == 5, pictures
    np.save(tmp_path / "alone.npy", noise(GREY))
    assert open_source(f"npy:{tmp_path}/alone.npy").class_names() == ()
    named = DataAccess(options={"data.label": f"{tmp_path}/y.npy"})
    assert len(open_source(f"npy:{tmp_path}/alone.npy", named).class_names()) == 5


def write_parts(root: Path, form: str) -> Source:
    parts = {"x_train": np.full((4, 8, 8), 1, np.uint8), "y_train": np.array([0, 1, 2, 2])}
    parts |= {"x_test": np.full((2, 8, 8), 9, np.uint8), "y_test": np.array([2, 1])}
    if form == "npz":
        np.savez(root / "set.npz", **parts)
        return open_source(f"npz:{root}/set.npz")
    for name, array in parts.items():
        np.save(root / f"{name}.npy", array)
    return open_source(f"npy:{root}/x_train.npy")


@pytest.mark.parametrize("form", ["npy", "npz"])
def test_the_test_part_is_held_out_with_the_classes_of_training(tmp_path: Path, form: str) -> None:
    source = write_parts(tmp_path, form)
    training, held_out = source.open((8, 8), 1, "auto"), source.open_held_out((8, 8), 1, "auto")
    assert set(fetched(training).unique().tolist()) == {1} and set(fetched(held_out).unique().tolist()) == {9}
    assert held_out.labels is not None and held_out.labels.tolist() == [2, 1]
    assert held_out.classes == training.classes == ("0", "1", "2")


def test_without_a_test_part_nothing_is_held_out(tmp_path: Path) -> None:
    with pytest.raises(NoHeldOutDataError, match=r"images\.npy holds no pictures out"):
        open_source(save(tmp_path, noise(GREY), "npy")).open_held_out((8, 8), 1, "crop")


@pytest.mark.parametrize("form", ["npy", "stored"])
def test_stored_arrays_are_mapped_and_not_read(tmp_path: Path, form: str) -> None:
    spec = save(tmp_path, noise(RGB), form)
    data = open_source(spec).open((12, 10), 3, "auto")
    assert isinstance(data, array_images.ArrayDataSet)
    whole: Any = data.pictures.values
    while not isinstance(whole, np.memmap):
        whole = whole.base
        assert whole is not None, "it is in memory"


def test_large_arrays_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_images, "HELD_BYTES", 5 * 12 * 10 * 3 - 1)
    assert open_source(save(tmp_path, noise(RGB), "npy")).open((12, 10), 3, "auto").on_demand
    monkeypatch.setattr(picture_arrays, "memory_for_data", lambda device: 1799)
    with pytest.raises(ValueError, match=r"inflates to 1,800 bytes, more than the 1,799 .* --data npy:FILE"):
        open_source(save(tmp_path, noise(RGB), "compressed")).native()


def asked(spec: str) -> DataSet:
    return open_source(spec).open((8, 8), None, "crop")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((5, 8, 8), np.complex64), "is of complex64, and pictures are real numbers"),
        (np.zeros((0, 8, 8), np.uint8), "it is empty"),
        (np.zeros((8, 8, 3), np.uint8), "which looks like one picture"),
        (np.zeros((8, 8), np.uint8), "no pictures"),
        (np.zeros((5, 64), np.uint8), "no pictures"),
        (np.zeros((5, 8, 8, 5), np.uint8), "have 1, 3 or 4 channels"),
        (np.zeros((5, 3, 8, 4), np.uint8), "of which either side may be channels"),
        (np.array([{}, []], dtype=object), "holds Python objects, which are not read"),
    ],
)
@FORMS
def test_arrays_that_are_no_pictures(tmp_path: Path, form: str, array: NDArray[Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        asked(save(tmp_path, array, form))
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@FORMS
def test_labels_that_do_not_fit(tmp_path: Path, form: str) -> None:
    for labels, words in (
        (np.arange(4), "labels for 5 pictures"),
        (np.zeros((5, 2)), "neither numbers of classes nor one-hot"),
        (np.full(5, 0.5), "are no whole numbers"),
        (np.zeros((5, 2, 2)), "not a number or a word for each sample"),
        (np.array([None] * 5, dtype=object), "Python objects"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            asked(spec := save(tmp_path, noise(GREY), form, labels=labels))
        assert "\n" not in str(error.value)
        assert "objects" in words or "--set data.label=nothing" in str(error.value)
        access = DataAccess(options={"data.label": "nothing"})
        assert open_source(spec, access).open((8, 8), None, "crop").labels is None


@FORMS
def test_files_that_are_cut_short_are_named(tmp_path: Path, form: str) -> None:
    spec = save(tmp_path, noise(RGB), form)
    file = Path(spec.partition(":")[2])
    content = file.read_bytes()
    for length in [*range(0, 140, 7), *range(140, len(content) - 1, 97), len(content) - 1]:
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match=rf"{file.name} .*(damaged|cut short|is none)") as error:
            asked(spec)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["npy", "npz"])
def test_files_that_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("no array\n" * 10)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for file, words in {
        "": f"data '{name}' needs a file: write --data {name}:FILE",
        "nowhere": "nowhere does not exist",
        "text": "text is not a",
        "folder": "folder is a folder, not a file: .*--data folder:",
        "pipe": "it is a pipe or a device",
    }.items():
        with pytest.raises(ValueError, match=words) as error:
            asked(f"{name}:{tmp_path / file}" if file else name)
        assert "\n" not in str(error.value)


def test_arrays_of_a_npz_that_have_other_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", p=noise(GREY), q=np.arange(5))
    with pytest.raises(ValueError, match=r"has the arrays p, q: name .* --set data\.image=NAME"):
        asked(f"npz:{tmp_path}/set.npz")
    access = DataAccess(options={"data.image": "p", "data.label": "q"})
    assert len(open_source(f"npz:{tmp_path}/set.npz", access).class_names()) == 5
    with pytest.raises(ValueError, match=r"has the arrays p, q, not r: write --set data\.image=NAME"):
        open_source(f"npz:{tmp_path}/set.npz", DataAccess(options={"data.image": "r"})).native()


def test_a_damaged_compressed_array_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", noise(GREY))
    with zipfile.ZipFile(tmp_path / "set.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(tmp_path / "images.npy", "images.npy")
    content = bytearray((tmp_path / "set.npz").read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"array images in .*set\.npz (is not|is damaged|has not the bytes)"):
        asked(f"npz:{tmp_path}/set.npz")
