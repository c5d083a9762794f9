"""Samples that are held out from training: of embedded sets, test files, and folders of a test part."""

import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.core import registry
from experiments.data.core.dataset import USUAL, DataAccess, DataSet, NoHeldOutDataError
from experiments.data.core.idx import IMAGES, LABELS, TEST_FILES
from experiments.data.core.sources import open_source

EMBEDDED = [name for name in registry.names("data") if registry.load("data", name).is_embedded]


def opened(spec: str, access: DataAccess = USUAL, side: int = 8) -> tuple[DataSet, DataSet]:
    """The samples for training and the held-out ones."""
    source = open_source(spec, access)
    size = (side, side) if source.kind == "images" else None
    channels = source.native().channels
    return source.open(size, channels, "crop"), source.open_held_out(size, channels, "crop")


def rows(data: DataSet) -> set[bytes]:
    return {sample.numpy().tobytes() for sample in data.fetch(torch.arange(len(data)))}


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_hold_samples_out(name: str) -> None:
    """Alike, but none is among those for training."""
    training, held_out = opened(name, side=32)
    assert held_out.sample_shape == training.sample_shape and held_out.classes == training.classes
    assert len(held_out) > 100
    own, others = rows(training), rows(held_out)
    assert len(others) > 0.9 * len(held_out) and not own & others
    means = [data.fetch(torch.arange(len(data))).double().mean(0) for data in (training, held_out)]
    spread = training.fetch(torch.arange(len(training))).double().std(0)
    assert (means[0] - means[1]).abs().max() < 6 * spread.max() / len(held_out) ** 0.5


def write_images(folder: Path, *levels: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for level in levels:
        Image.new("RGB", (8, 8), (level, 0, 0)).save(folder / f"{level:03}.png")


def levels(data: DataSet) -> list[int]:
    return data.fetch(torch.arange(len(data)))[:, 0, 0, 0].tolist()


def pack(folder: Path) -> str:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as packed:
        for file in sorted(folder.rglob("*.*")):
            packed.write(file, file.relative_to(folder).as_posix())
    return f"zip:{folder.with_suffix('.zip')}"


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize("part_of_class", [False, True], ids=["test/cat", "cat/test"])
def test_the_test_part_of_a_folder_has_the_classes_of_training(
    form: str, part_of_class: bool, tmp_path: Path
) -> None:
    """Not the part for validation; and dog is dog, though the test part shows no cats."""
    root = tmp_path / "wrapper" / "set"

    def place(part: str, name: str) -> Path:
        return root / name / part if part_of_class else root / part / name

    write_images(place("train", "cat"), 1, 2)
    write_images(place("train", "dog"), 3)
    write_images(place("train", "eel"), 4)
    for name, level in (("cat", 10), ("dog", 11), ("eel", 12)):
        write_images(place("val", name), level)
    write_images(place("test", "dog"), 20)
    write_images(place("test", "eel"), 21, 22)
    if part_of_class:
        write_images(place("test", "cat"), 23)
    training, held_out = opened(pack(tmp_path / "wrapper") if form == "zip" else f"folder:{tmp_path}/wrapper")
    assert levels(training) == [1, 2, 3, 4]
    shown = dict(zip(levels(held_out), held_out.labels.tolist(), strict=True))  # type: ignore[union-attr]
    assert shown == {20: 1, 21: 2, 22: 2, **({23: 0} if part_of_class else {})}
    assert held_out.classes == training.classes == ("cat", "dog", "eel")


def test_a_validation_part_is_held_out_where_there_is_no_other(tmp_path: Path) -> None:
    write_images(tmp_path / "training_set", 1, 2, 3)
    write_images(tmp_path / "val", 4)
    training, held_out = opened(f"folder:{tmp_path}")
    assert (levels(training), levels(held_out)) == ([1, 2, 3], [4])


def test_domains_hold_out_both_of_their_parts(tmp_path: Path) -> None:
    for name, level in (("trainA", 1), ("trainB", 2), ("testA", 3), ("testB", 4)):
        write_images(tmp_path / name, level)
    training, held_out = opened(f"folder:{tmp_path}")
    assert (levels(training), levels(held_out)) == ([1, 2], [3, 4])
    assert held_out.labels is None, "testA is none of the classes trainA and trainB"


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_folder_without_parts_says_what_to_do(form: str, tmp_path: Path) -> None:
    write_images(tmp_path / "set" / "cat", 1)
    write_images(tmp_path / "set" / "dog", 2)
    spec = pack(tmp_path / "set") if form == "zip" else f"folder:{tmp_path}/set"
    with pytest.raises(NoHeldOutDataError, match=r"set.* has no test/ beside a train/: put "):
        opened(spec)


def write_idx(folder: Path, names: tuple[str, str], level: int, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_bytes(
        bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes([level]) * (count * 28 * 28)
    )
    (folder / names[1]).write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, count, *range(count)]))


def test_mnists_test_files_lie_beside_its_others(tmp_path: Path, network: Any) -> None:
    """And stacked:mnist stacks those."""
    folder = tmp_path / "MNIST/raw"
    write_idx(folder, (IMAGES, LABELS), 7, 5)
    access = DataAccess(tmp_path)
    with pytest.raises(NoHeldOutDataError, match=rf"put {TEST_FILES[0]} and {TEST_FILES[1]} into {folder}"):
        opened("mnist", access, 28)
    write_idx(folder, (TEST_FILES[0], TEST_FILES[1]), 9, 3)
    training, held_out = opened("mnist", access, 28)
    assert (levels(training), levels(held_out)) == ([7] * 5, [9] * 3)
    assert held_out.labels is not None and held_out.labels.tolist() == [0, 1, 2]
    training, held_out = opened("stacked:mnist", access, 28)
    assert set(levels(held_out)) == {9} and held_out.sample_shape == training.sample_shape


def test_cifars_test_batch(tmp_path: Path, network: Any) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for level, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        batch = {"data": np.full((2, 3072), level, np.uint8), "labels": [0, 1]}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["car", "bird"]}))
    training, held_out = opened("cifar10", DataAccess(tmp_path), 32)
    assert (levels(training), levels(held_out)) == ([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [5, 5])
    shutil.move(folder / "test_batch", tmp_path)
    with pytest.raises(NoHeldOutDataError, match=f"put test_batch into {folder}"):
        opened("cifar10", DataAccess(tmp_path), 32)


def test_celebas_test_split(tmp_path: Path, network: Any) -> None:
    for number in range(4):
        write_images(tmp_path / "celeba/img_align_celeba", number)
    lines = (f"{number:03}.png {split}" for number, split in enumerate("0210"))
    (tmp_path / "celeba/list_eval_partition.txt").write_text("\n".join(lines))
    training, held_out = opened("celeba", DataAccess(tmp_path))
    assert (levels(training), levels(held_out)) == ([0, 3], [1])
