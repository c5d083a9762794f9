"""Fixtures of data sets: a machine without any, a network that answers from memory, a cache of images."""

import io
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.data.core import image_files


class Answer(io.BytesIO):
    """A response of the network."""

    def __init__(self, content: bytes, url: str) -> None:
        super().__init__(content)
        self.url, self.length = url, len(content)


class Network:
    """What answers instead of the network: the files it was given, by address."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def open(self, request: Any) -> Answer:
        self.asked.append(request.full_url)
        if request.full_url not in self.files:
            raise urllib.error.URLError("Name or service\nnot known")
        return Answer(self.files[request.full_url], request.full_url)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    """A machine without any set, and a network that answers nothing."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GANS_CACHE", raising=False)
    monkeypatch.delenv("GANS_DATA", raising=False)
    network = Network()
    monkeypatch.setattr("urllib.request.urlopen", network.open)
    return network


@pytest.fixture
def image_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache of decoded images."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GANS_CACHE", str(folder))
    return folder / "decoded"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, as they are."""
    names: list[str] = []
    read = image_files.read_image

    def note(store: image_files.Store, name: str, channels: int) -> tuple[image_files.Header, Image.Image]:
        names.append(name)
        return read(store, name, channels)

    monkeypatch.setattr(image_files, "read_image", note)
    return names


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set is too large to be held."""
    monkeypatch.setattr(image_files, "HELD_BYTES", 0)
