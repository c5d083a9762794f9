"""MNIST and its twins: sets whose files have the same names are told apart, found and fetched."""

import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.datasets

from experiments.core.errors import RunError
from experiments.data.core.dataset import DataAccess
from experiments.data.core.idx import IMAGES, LABELS, OWNERS, IdxSet
from experiments.data.fashion_mnist import DEBIAN, FashionMnist
from experiments.data.kmnist import Kmnist
from experiments.data.mnist import Mnist

installed = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
FOLDERS = {Mnist: "MNIST/raw", Kmnist: "KMNIST/raw", FashionMnist: "FashionMNIST/raw"}


@pytest.fixture(autouse=True)
def _nothing_installed(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FashionMnist, "installed", ())


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def contents(level: int, count: int = 4) -> dict[str, bytes]:
    """Idx files of flat pictures: the level tells where they came from."""
    labels = np.arange(count, dtype=np.uint8) % 10
    return {IMAGES: idx(np.full((count, 28, 28), level, np.uint8)), LABELS: idx(labels)}


def install(folder: Path, level: int, count: int = 4) -> str:
    """Writes the files; the MD5 of the labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents(level, count).items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    return hashlib.md5(contents(level, count)[LABELS]).hexdigest()


def level(source: IdxSet) -> int:
    return int(source.open(None, None, "auto").samples[0, 0, 0, 0])


@pytest.mark.parametrize("kind", FOLDERS)
def test_each_takes_its_own_folder_below_a_root(tmp_path: Path, network: Any, kind: type[IdxSet]) -> None:
    for number, folder in enumerate(FOLDERS.values()):
        install(tmp_path / folder, number)
    install(tmp_path, 99)
    source = kind("", DataAccess(tmp_path, download=True))
    assert (source.native().size, source.native().channels) == ((28, 28), 1)
    data = source.open(None, None, "auto")
    assert data.samples[0, 0, 0, 0] == list(FOLDERS).index(kind)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 2, 3]
    assert data.labels.dtype == torch.int64
    assert data.classes == kind.classes
    assert len(set(data.classes)) == 10
    assert not network.asked


def test_a_known_set_in_a_shared_folder_is_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = install(tmp_path / "shared", 1)
    monkeypatch.setitem(OWNERS, digest, "fashion-mnist")
    monkeypatch.setenv("GANS_DATA", str(tmp_path / "shared"))
    assert level(FashionMnist()) == 1
    for other in (Mnist, Kmnist):
        with pytest.raises(ValueError, match=f"; {tmp_path}/shared holds fashion-mnist: fetch it") as error:
            other().native()
        assert "\n" not in str(error.value)
    install(tmp_path / "home/.cache/gans/MNIST/raw", 2, count=5)
    assert level(Mnist()) == 2


def test_a_whole_set_that_is_not_mnist_is_not_taken_for_it(tmp_path: Path) -> None:
    """60,000 labels are those of MNIST or of another set, such as Kuzushiji-MNIST; fewer are a part."""
    install(tmp_path, 1, 60_000)
    with pytest.raises(ValueError, match="holds another set"):
        Mnist("", DataAccess(tmp_path)).native()
    Kmnist("", DataAccess(tmp_path)).native()


@installed
def test_the_real_files_are_known() -> None:
    for kind in (Mnist, Kmnist):
        with pytest.raises(ValueError, match=f"{DEBIAN} holds fashion-mnist"):
            kind("", DataAccess(DEBIAN)).native()
    FashionMnist("", DataAccess(DEBIAN)).native()


def test_pictures_without_labels_are_named(tmp_path: Path) -> None:
    install(tmp_path / "MNIST/raw", 1)
    (tmp_path / "MNIST/raw" / f"{LABELS}.gz").unlink()
    with pytest.raises(ValueError, match=f"; {tmp_path}/MNIST/raw lacks {LABELS}: fetch it"):
        Mnist("", DataAccess(tmp_path)).native()


def published(kind: type[IdxSet], network: Any, monkeypatch: pytest.MonkeyPatch, mirror: int = 0) -> None:
    """Puts small files on the network, with their checksums where torchvision has those of the real ones."""
    known = getattr(torchvision.datasets, kind.published)
    resources = []
    for name, content in contents(7).items():
        zipped = gzip.compress(content, mtime=0)
        network.files[f"{known.mirrors[mirror]}{name}.gz"] = zipped
        resources.append((f"{name}.gz", hashlib.md5(zipped).hexdigest()))
    monkeypatch.setattr(known, "resources", [*resources, ("t10k-images-idx3-ubyte.gz", "not needed")])


@pytest.mark.parametrize("kind", FOLDERS)
def test_download_into_the_root(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch, kind: type[IdxSet]
) -> None:
    published(kind, network, monkeypatch)
    source = kind("", DataAccess(tmp_path / "root", download=True))
    source.native()
    assert not network.asked, "a plan must not wait for the network"
    assert level(source) == 7
    assert {path.name for path in (tmp_path / "root" / FOLDERS[kind]).iterdir()} == {
        f"{IMAGES}.gz",
        f"{LABELS}.gz",
    }
    network.files = {}
    assert level(kind("", DataAccess(tmp_path / "root"))) == 7


def test_the_next_mirror_is_asked(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    published(Mnist, network, monkeypatch, mirror=1)
    assert level(Mnist("", DataAccess(download=True))) == 7
    assert Path("~/.cache/gans/MNIST/raw", f"{IMAGES}.gz").expanduser().is_file()


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_download_that_fails_is_one_line_and_leaves_nothing(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch, kind: type[IdxSet]
) -> None:
    source = kind("", DataAccess(tmp_path / "root", download=True))
    with pytest.raises(RunError, match=f"{kind.name} could not be downloaded into .*not known") as error:
        source.open(None, None, "auto")
    assert "\n" not in str(error.value)
    published(kind, network, monkeypatch)
    for url in network.files:
        if LABELS in url:  # the second file; the first arrives whole
            network.files[url] = network.files[url][:-5]
    with pytest.raises(RunError, match="corrupted"):
        source.open(None, None, "auto")
    with pytest.raises(ValueError, match="is not in"):
        kind("", DataAccess(tmp_path / "root")).native()
    assert not list((tmp_path / "root").rglob("*.gz"))
