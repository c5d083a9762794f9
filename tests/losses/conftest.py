"""What the tests of the input gradient ask for by name: which way is taken, and a seed."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from losses.core import input_gradient as module


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Seed 0; and one thread, since networks this small are slower with more."""
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _forbid(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    def refuse(*arguments: object) -> Tensor:
        raise AssertionError(f"{way} was taken")

    monkeypatch.setattr(module, way, refuse)


@pytest.fixture
def chain_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No silent fallback."""
    _forbid(monkeypatch, "gradient_by_autograd")


@pytest.fixture
def fallback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    _forbid(monkeypatch, "gradient_by_chain")
