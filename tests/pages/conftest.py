"""What the tests of the pages share: runs, photos and data that the pages name."""

from collections.abc import Iterator

import pytest

from experiments.core import registry
from tests.conftest import one_thread
from tests.pages.stock import Stock


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    with pytest.MonkeyPatch.context() as patch, one_thread():
        stock = Stock(tmp_path_factory.mktemp("stock"))
        patch.setenv("GANS_DATA", str(stock.item("data")))
        yield stock


@pytest.fixture
def _small_extractor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever weights are on this machine: features are those of a small random network."""
    for name in ("inception", "efflite0"):
        is_at_hand = classmethod(lambda cls, weights=None: False)
        monkeypatch.setattr(registry.load("extractor", name), "is_at_hand", is_at_hand)
