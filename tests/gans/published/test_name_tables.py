"""Tables of published names, read both ways, for every architecture that has them."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import gans.published
from gans.core.architecture import Blueprint
from tests.conftest import ARCHITECTURES, FROM_NOISE
from tests.gans.translating import GROUPS

NAMES = sorted(file.stem for file in Path(gans.published.__file__).parent.glob("[a-z]*.py"))
WITH_LABELS = {"stylegan2", "r3gan"}  # whose published files can have them
SIDES = [4, 8, 16, 32, 64]


def networks(name: str, classes: int) -> list[tuple[Any, Any]]:
    """Both networks of an architecture with their tables."""
    table = importlib.import_module(f"gans.published.{name}")
    z_dim = 6 if name in FROM_NOISE else 0
    blueprint = Blueprint((3, 64, 64), z_dim=z_dim, width=8, classes=classes, attributes=GROUPS)
    architecture = ARCHITECTURES[name]
    return [
        (architecture.generator(blueprint), table.GENERATOR),
        (architecture.critic(blueprint), table.CRITIC),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(name: str) -> None:
    """Every tensor comes back as it was, from a name of its own."""
    for network, table in networks(name, 3 if name in WITH_LABELS else 0):
        published = table.to_published(network, SIDES)
        state = network.state_dict()
        assert len(published) == len(table.expand(network, SIDES)), "two tensors with one name"
        found = table.to_ours(network, SIDES, published)
        assert found and all(torch.equal(found[key], state[key]) for key in found)
        assert set(state) - set(found) <= {"shares", "stage.reached"}


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_is_named(name: str) -> None:
    network, table = networks(name, 0)[1]
    published = table.to_published(network, SIDES)
    key = next(iter(published))
    with pytest.raises(ValueError, match=f"{re.escape(key)} is missing"):
        table.to_ours(network, SIDES, {other: value for other, value in published.items() if other != key})
    with pytest.raises(ValueError, match=r"stranger\.weight is not part"):
        table.to_ours(network, SIDES, published | {"stranger.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=f"{re.escape(key)} has the shape"):
        table.to_ours(network, SIDES, published | {key: torch.zeros(7, 7, 7, 7)})
