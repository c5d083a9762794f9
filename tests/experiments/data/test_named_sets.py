"""What all published sets share: places, downloads, what a broken one leaves behind, sizes and channels."""

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets
from scipy.io import savemat

from experiments.core.errors import RunError
from experiments.data import stl10
from experiments.data.cifar10 import Cifar10
from experiments.data.cifar100 import Cifar100
from experiments.data.core.cifar import CifarSet
from experiments.data.core.dataset import DataAccess
from experiments.data.core.named_sets import InMemoryNamedSet
from experiments.data.stl10 import Stl10
from experiments.data.svhn import Svhn

KINDS = [Cifar10, Cifar100, Svhn, Stl10]
ARCHIVED = [Cifar10, Cifar100, Stl10]


@pytest.fixture(autouse=True)
def _two_pictures(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a whole STL-10."""
    monkeypatch.setattr(stl10, "LENGTH", 2)


def install(root: Path, kind: type[InMemoryNamedSet], level: int) -> None:
    """Writes a small set of flat pictures: the level tells where they came from."""
    folder = root / kind.folder
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.full((2, 3, 32, 32), level, np.uint8)
    if kind is Stl10:
        (folder / "unlabeled_X.bin").write_bytes(bytes([level]) * (2 * 3 * 96 * 96))
    elif kind is Svhn:
        savemat(folder / "train_32x32.mat", {"X": pixels.transpose(2, 3, 1, 0), "y": [[1], [10]]})
    elif issubclass(kind, CifarSet):
        for name in kind.files[:-1]:
            batch = {"data": pixels.reshape(2, -1), kind.labels_key: [1, 0]}
            (folder / name).write_bytes(pickle.dumps(batch))
        (folder / kind.files[-1]).write_bytes(pickle.dumps({kind.classes_key: ["cat", "dog"]}))


def level(source: InMemoryNamedSet) -> int:
    return int(source.open(None, None, "auto").samples[0, 0, 0, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_searched_in_order_and_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Any, kind: type[InMemoryNamedSet]
) -> None:
    places = ["root", "first", "second", "home/.cache/gans", "work/data"]
    monkeypatch.setenv("GANS_DATA", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    for number, place in reversed(list(enumerate(places))):
        install(tmp_path / place, kind, number)
        assert level(kind("", DataAccess(tmp_path / "root", download=True))) == number
    assert not network.asked


@pytest.mark.parametrize("kind", ARCHIVED)
def test_the_folder_itself_may_be_named(tmp_path: Path, kind: type[InMemoryNamedSet]) -> None:
    install(tmp_path, kind, 5)
    assert level(kind("", DataAccess(tmp_path / kind.folder))) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_absence_is_one_line_with_places_and_remedy(
    tmp_path: Path, network: Any, kind: type[InMemoryNamedSet]
) -> None:
    (tmp_path / "root").mkdir()
    source = kind("", DataAccess(tmp_path / "root"))
    for ask in (source.native, lambda: source.open(None, None, "auto")):
        with pytest.raises(ValueError, match=f"{kind.name} .*{kind.files[0]}.* is not in ") as error:
            ask()
        for part in (f"{tmp_path}/root", ".cache/gans", "./data", "--download", "--data-root DIR"):
            assert part in str(error.value)
        assert "\n" not in str(error.value)
    assert not network.asked
    assert list((tmp_path / "root").iterdir()) == []


def test_the_command_says_so(refused: Callable[..., str]) -> None:
    refused(2, ("cifar10", "--download", "--data-root"), "run --arch dcgan --data cifar10 --dry-run")


def published(
    kind: type[InMemoryNamedSet], network: Any, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> str:
    """Puts a small set on the network as it is published, and its checksum where torchvision has that of the
    real one; the address."""
    install(folder, kind, 7)
    if kind is Svhn:
        content = (folder / "train_32x32.mat").read_bytes()
        url = torchvision.datasets.SVHN.split_list["train"][0]
        known = [url, "train_32x32.mat", hashlib.md5(content).hexdigest()]
        monkeypatch.setitem(torchvision.datasets.SVHN.split_list, "train", known)
    else:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            archive.add(folder / kind.folder, kind.folder)
        content = stream.getvalue()
        theirs = getattr(torchvision.datasets, kind.name.upper())
        url = theirs.url
        monkeypatch.setattr(theirs, "tgz_md5", hashlib.md5(content).hexdigest())
    network.files[url] = content
    return url


@pytest.mark.parametrize("kind", KINDS)
def test_download_into_the_root_in_the_layout_of_torchvision(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch, kind: type[InMemoryNamedSet]
) -> None:
    published(kind, network, monkeypatch, tmp_path / "there")
    source = kind("", DataAccess(tmp_path / "root", download=True))
    source.native()
    assert not network.asked, "a plan must not wait for the network"
    assert level(source) == 7
    assert all((tmp_path / "root" / kind.folder / name).is_file() for name in kind.files)
    network.files = {}
    assert level(kind("", DataAccess(tmp_path / "root"))) == 7
    left = {path.name for path in (tmp_path / "root").iterdir() if path.is_dir()}
    assert left == ({kind.folder} if kind.folder else set())


def test_download_without_a_root_goes_into_the_cache(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(Svhn, network, monkeypatch, tmp_path / "there")
    assert level(Svhn("", DataAccess(download=True))) == 7
    assert (tmp_path / "home/.cache/gans/train_32x32.mat").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_a_download_that_fails_is_one_line_and_leaves_no_set(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch, kind: type[InMemoryNamedSet]
) -> None:
    source = kind("", DataAccess(tmp_path / "root", download=True))
    with pytest.raises(RunError, match=f"{kind.name} could not be downloaded .*not known") as error:
        source.open(None, None, "auto")
    assert "\n" not in str(error.value)
    url = published(kind, network, monkeypatch, tmp_path / "there")
    whole = network.files[url]
    network.files[url] = whole[: len(whole) // 2]  # the connection breaks
    with pytest.raises(RunError, match="corrupted"):
        source.open(None, None, "auto")
    with pytest.raises(ValueError, match="is not in"):
        kind("", DataAccess(tmp_path / "root")).native()
    network.files[url] = whole
    assert level(source) == 7  # the half is not taken for the archive


@pytest.mark.parametrize("kind", ARCHIVED)
def test_an_archive_that_is_half_unpacked_leaves_no_set(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch, kind: type[InMemoryNamedSet]
) -> None:
    published(kind, network, monkeypatch, tmp_path / "there")

    def fail(archive: Path, below: Path) -> None:
        install(below, kind, 3)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("torchvision.datasets.utils.extract_archive", fail)
        with pytest.raises(RunError, match="No space left on device"):
            kind("", DataAccess(tmp_path / "root", download=True)).open(None, None, "auto")
    with pytest.raises(ValueError, match="is not in"):
        kind("", DataAccess(tmp_path / "root")).native()
    network.files = {}
    source = kind("", DataAccess(tmp_path / "root", download=True))
    assert level(source) == 7, "the archive is whole, and need not be fetched again"


def test_what_others_left_half_unpacked_is_replaced(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(Cifar10, network, monkeypatch, tmp_path / "there")
    install(tmp_path / "root", Cifar10, 1)
    (tmp_path / "root/cifar-10-batches-py/data_batch_5").unlink()
    (tmp_path / "root/cifar-10-batches-py/notes.txt").write_text("mine")
    assert level(Cifar10("", DataAccess(tmp_path / "root", download=True))) == 7
    assert (tmp_path / "root/cifar-10-batches-py/notes.txt").read_text() == "mine"


def test_a_root_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    for download in (True, False):
        with pytest.raises(ValueError, match=r"--data-root .*/root is not a folder"):
            Cifar10("", DataAccess(tmp_path / "root", download=download)).open(None, None, "auto")
    with pytest.raises(ValueError, match=r"--data-root .*/none does not exist"):
        Cifar10("", DataAccess(tmp_path / "none")).native()


def test_torchvision_is_needed_for_downloads_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchvision", "torchvision.datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    for kind in KINDS:
        install(tmp_path / kind.name, kind, 4)
        assert level(kind("", DataAccess(tmp_path / kind.name))) == 4
        with pytest.raises(RunError, match=r"could not be downloaded .*torchvision"):
            kind("", DataAccess(tmp_path / "empty", download=True)).open(None, None, "auto")


@pytest.mark.long
def test_it_is_not_imported_with_the_modules() -> None:
    modules = [kind.__module__ for kind in KINDS] + ["experiments.data.mnist", "experiments.data.celeba"]
    code = f"import sys, {', '.join(modules)}; assert not {{'torchvision', 'scipy'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_had_is_refused_before_anything_is_fetched(
    tmp_path: Path, network: Any, kind: type[InMemoryNamedSet]
) -> None:
    source = kind("", DataAccess(tmp_path, download=True))
    own = "×".join(map(str, kind.size))
    with pytest.raises(ValueError, match=f"{kind.name} is {own}, not 40×32: choose --fit crop or stretch"):
        source.open((40, 32), 3, "error")
    with pytest.raises(ValueError, match="1, 3 or 4"):
        source.open(None, 2, "auto")
    with pytest.raises(ValueError, match=f"data '{kind.name}' takes no argument, but got 'test'"):
        kind("test", DataAccess(tmp_path, download=True)).native()
    assert not network.asked
