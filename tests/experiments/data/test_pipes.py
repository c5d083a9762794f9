"""Pipes in the places of files of data: named in one line, and never waited for."""

import os
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.config import files
from experiments.config.files import read_config
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.data.celeba import ATTRIBUTES, IMAGES, PARTITION, Celeba
from experiments.data.core.dataset import DataAccess
from experiments.data.core.named_sets import NamedSet
from experiments.data.folder import Folder
from experiments.data.zip import Zip

SETS = [
    name
    for name in registry.names("data")
    if isinstance(kind := registry.load("data", name), type) and issubclass(kind, NamedSet)
]


@pytest.fixture(autouse=True)
def _nothing_waits(network: Any) -> Iterator[None]:
    """Ends what waits for a pipe."""

    def end(*_: object) -> None:
        raise AssertionError("it waits for a pipe")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 20)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("place", ["--data-root", "GANS_DATA", "./data"])
@pytest.mark.parametrize("name", SETS)
def test_pipes_as_files_of_a_published_set(
    tmp_path: Path, name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = registry.load("data", name)
    root = Path("data") if place == "./data" else tmp_path / "root"
    for file in {*kind.files, *kind.held_out_files}:
        (root / kind.folder).mkdir(parents=True, exist_ok=True)
        os.mkfifo(root / kind.folder / file)
    monkeypatch.setattr(kind, "installed", ())
    if place == "GANS_DATA":
        monkeypatch.setenv("GANS_DATA", str(root))
    source = kind("", DataAccess(root if place == "--data-root" else None))
    for read in (source.class_names, source.native):
        with suppress(ValueError):
            read()
    with pytest.raises(ValueError, match=str(root)):
        source.open((8, 8), None, "auto")
    with pytest.raises(ValueError):
        source.open_held_out((8, 8), None, "auto")


@pytest.mark.parametrize("pipe", [PARTITION, ATTRIBUTES])
def test_pipes_as_lists_of_celeba(tmp_path: Path, pipe: str) -> None:
    there = tmp_path / Celeba.folder
    (there / IMAGES).mkdir(parents=True)
    Image.new("RGB", (178, 218)).save(there / IMAGES / "1.jpg")
    (there / PARTITION).write_text("1.jpg 0\n")
    (there / pipe).unlink(missing_ok=True)
    os.mkfifo(there / pipe)
    with pytest.raises(ValueError, match=rf"{pipe} cannot be read: it is a pipe or a device, not a file"):
        Celeba("", DataAccess(tmp_path)).open((8, 8), None, "auto")


@pytest.mark.parametrize("list_name", [PARTITION, ATTRIBUTES])
def test_lists_of_celeba_that_are_huge_are_refused_unread(tmp_path: Path, list_name: str) -> None:
    there = tmp_path / Celeba.folder
    (there / IMAGES).mkdir(parents=True)
    Image.new("RGB", (178, 218)).save(there / IMAGES / "1.jpg")
    (there / PARTITION).write_text("1.jpg 0\n")
    with (there / list_name).open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=rf"{list_name} cannot be read: it has more than 134,217,728 bytes"):
        Celeba("", DataAccess(tmp_path)).open((8, 8), None, "auto")


def test_a_pipe_as_a_zip_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.zip")
    with pytest.raises(ValueError, match=r"x\.zip cannot be read: it is a pipe or a device, not a file"):
        Zip(str(tmp_path / "x.zip")).native()


def test_a_zip_file_that_becomes_a_pipe(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.write(tmp_path / "a.png", "a.png")
    store = Zip(str(tmp_path / "x.zip")).store
    (tmp_path / "x.zip").unlink()
    os.mkfifo(tmp_path / "x.zip")
    with pytest.raises(OSError, match="it is a pipe"):
        store.open("a.png")


@pytest.mark.parametrize("name", ["b.png", "attributes.csv", "dataset.json", ATTRIBUTES])
def test_pipes_in_a_folder_of_images(tmp_path: Path, name: str) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} cannot be read: it is a pipe or a device, not a file"):
        Folder(str(tmp_path)).open((8, 8), None, "auto")


def test_images_may_be_links(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "set/b.png").symlink_to(tmp_path / "a.png")
    assert len(Folder(str(tmp_path / "set")).open((8, 8), None, "auto")) == 1


def test_a_config_comes_through_a_pipe_only_if_something_is_written_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As shells make them from `<(…)`; a program may take its time."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(files, "PIPE_SECONDS", 0.2)
    with pytest.raises(UsageError, match="pipe: it is a pipe into which nothing is written"):
        read_config(pipe)
    monkeypatch.setattr(files, "PIPE_SECONDS", 10.0)
    slow = f"exec > {pipe}; sleep 0.2; printf '{{\"arch\": '; sleep 0.2; echo '\"mlp\"}}'"
    with subprocess.Popen(["sh", "-c", slow]):
        assert read_config(pipe) == {"arch": "mlp"}
