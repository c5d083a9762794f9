"""CIFAR: the published pickles are read exactly, and no pickle is obeyed."""

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.data.cifar10 import Cifar10
from experiments.data.cifar100 import Cifar100
from experiments.data.core.cifar import CifarSet
from experiments.data.core.dataset import DataAccess

NAMES = {Cifar10: ["aeroplane", "car", "bird"], Cifar100: ["apple", "fish", "baby"]}
BATCH = {Cifar10: "data_batch_1", Cifar100: "train"}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides what this machine has."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GANS_CACHE", raising=False)
    monkeypatch.setenv("GANS_DATA", "")
    monkeypatch.chdir(tmp_path)


def pixels(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()


def items(values: list[bytes]) -> bytes:
    return b"](" + b"".join(values) + b"e"


def array(pixels: np.ndarray) -> bytes:
    """As numpy 1 under Python 2 wrote it, in protocol 2."""
    shape = struct.pack("<cici", b"J", pixels.shape[0], b"J", pixels.shape[1]) + b"\x86"
    byte = b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R(K\x03" + text("|") + b"NNN"
    byte += struct.pack("<cici", b"J", -1, b"J", -1) + b"K\x00tb"
    content = b"T" + struct.pack("<i", pixels.size) + pixels.tobytes()
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text("b") + b"\x87R"
    return start + b"(K\x01" + shape + byte + b"\x89" + content + b"tb"


def batch(pixels: np.ndarray, labels: list[int], kind: type[CifarSet]) -> bytes:
    """A batch in the bytes of the published files: protocol 2, with strings of Python 2."""
    numbers = items([b"K" + bytes([label]) for label in labels])
    coarse = text("coarse_labels") + items([b"K\x00" for _ in labels])
    parts = text("batch_label") + text("a batch") + text("data") + array(pixels)
    return b"\x80\x02}(" + parts + text(kind.labels_key) + numbers + coarse + b"u."


def names(kind: type[CifarSet]) -> bytes:
    listed = items([text(name) for name in NAMES[kind]])
    return b"\x80\x02}(" + text(kind.classes_key) + listed + text("num_vis") + b"K\x0cu."


def install(root: Path, kind: type[CifarSet], count: int = 2) -> Path:
    """Writes the files in torchvision's layout, `count` pictures in each batch; their folder."""
    folder = root / kind.folder
    folder.mkdir(parents=True)
    for number, name in enumerate(kind.files[:-1]):
        labels = [(number + place) % 3 for place in range(count)]
        (folder / name).write_bytes(batch(pixels(count, number), labels, kind))
    (folder / kind.files[-1]).write_bytes(names(kind))
    return folder


def opened(root: Path, kind: type[CifarSet]) -> Any:
    return kind("", DataAccess(root)).open(None, None, "auto")


@pytest.mark.parametrize("kind", NAMES)
def test_published_format_is_read_exactly(tmp_path: Path, kind: type[CifarSet]) -> None:
    install(tmp_path, kind)
    data = opened(tmp_path, kind)
    batches = len(kind.files) - 1
    expected = np.concatenate([pixels(2, number) for number in range(batches)]).reshape(-1, 3, 32, 32)
    assert np.array_equal(data.samples.numpy(), expected)
    assert data.samples.dtype == torch.uint8
    assert data.labels.tolist() == [
        label for number in range(batches) for label in (number % 3, (number + 1) % 3)
    ]
    assert data.labels.dtype == torch.int64
    assert data.classes == tuple(NAMES[kind])
    native = kind("", DataAccess(tmp_path)).native()
    assert (native.size, native.channels) == ((32, 32), 3)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_of_python_3_is_read(tmp_path: Path, protocol: int) -> None:
    folder = install(tmp_path, Cifar100)
    content = {"data": pixels(3), "fine_labels": [2, 0, 1], "coarse_labels": [0, 0, 0]}
    (folder / "train").write_bytes(pickle.dumps(content, protocol))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": NAMES[Cifar100]}, protocol))
    data = opened(tmp_path, Cifar100)
    assert np.array_equal(data.samples.numpy().reshape(3, 3072), pixels(3))
    assert data.labels.tolist() == [2, 0, 1]


class Order:
    """What a pickle can do to who loads it."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    "call",
    [
        (os.mkdir, "obeyed"),
        (eval, "__import__('os').mkdir('obeyed')"),
        (np.lib.format.open_memmap, "obeyed", "w+", "u1", (1,)),
        (np.savetxt, "obeyed", [1.0]),
        (getattr, "abc", "upper"),
    ],
    ids=lambda call: call[0].__name__,
)
@pytest.mark.parametrize("name", ["data_batch_3", "batches.meta"])
def test_no_pickle_is_obeyed(tmp_path: Path, name: str, call: tuple[Any, ...]) -> None:
    folder = install(tmp_path, Cifar10)
    (folder / name).write_bytes(pickle.dumps({"data": Order(*call), "label_names": 0, "labels": []}))
    with pytest.raises(ValueError, match=rf"{name} is damaged or cannot be read \(it asks for ") as error:
        opened(tmp_path, Cifar10)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "obeyed").exists()


@pytest.mark.parametrize("kind", NAMES)
def test_damage_is_named(tmp_path: Path, kind: type[CifarSet]) -> None:
    folder = install(tmp_path, kind)
    name = BATCH[kind]
    whole = (folder / name).read_bytes()
    for content, problem in (
        (whole[: len(whole) // 2], "is damaged"),  # an archive that was not unpacked to its end
        (whole[:-1], "is damaged"),
        (b"", "is damaged"),
        (b"<html>not found</html>", "is damaged"),
        (names(kind), "lacks data"),
        (pickle.dumps([1, 2]), "lacks data"),
        (batch(pixels(2)[:, :3000], [0, 1], kind), "not hold pictures of 3×32×32"),
        (batch(pixels(2), [0, 1, 2], kind), "holds 3 labels for 2"),
        (batch(pixels(2), [0, 3], kind), "labels that are not those of the 3 classes"),
    ):
        (folder / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{folder / name} .*{problem}") as error:
            opened(tmp_path, kind)
        assert "\n" not in str(error.value)
    (folder / name).write_bytes(whole)
    last = kind.files[-1]
    for content in (whole, b"", pickle.dumps({kind.classes_key: "abc"})):
        (folder / last).write_bytes(content)
        with pytest.raises(ValueError, match=f"{folder / last} ") as error:
            opened(tmp_path, kind)
        assert "\n" not in str(error.value)


def test_a_set_without_all_its_files_is_not_taken(tmp_path: Path) -> None:
    for name in Cifar10.files:
        folder = install(tmp_path / name, Cifar10)
        (folder / name).unlink()
        with pytest.raises(ValueError, match=rf"cifar10 .* is not in .*; {folder} lacks {name}: fetch it"):
            Cifar10("", DataAccess(tmp_path / name)).native()
