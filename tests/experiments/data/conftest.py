"""An empty machine, and what stands for the network where data sets are fetched."""

import io
import urllib.error
from pathlib import Path
from typing import Any

import pytest


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
    monkeypatch.delenv("GANS_DATA", raising=False)
    network = Network()
    monkeypatch.setattr("urllib.request.urlopen", network.open)
    return network
