"""`gans list` says what there is."""

import json
import re
from collections.abc import Callable

import pytest

from experiments.core import registry
from tests.commands.helpers import Gans

PLURALS = {"architectures": "architecture", "losses": "loss", "data": "data"}


PLURALS |= {"penalties": "penalty", "regularizers": "regularizer", "trackers": "tracker"}


PLURALS |= {"metrics": "metric", "extractors": "extractor", "penalty-norms": "penalty-norm"}


PLURALS |= {"norms": "norm", "batch-statistics": "batch-statistic", "optimizers": "optimizer"}


PLURALS |= {"schedules": "schedule", "augmentations": "augmentation"}


def test_list_is_the_registry(gans: Gans) -> None:
    outcome = gans("list --json")
    assert outcome.err == ""
    found = json.loads(outcome.out)
    assert {plural: list(entries) for plural, entries in found.items()} == {
        plural: registry.names_of(kind) for plural, kind in PLURALS.items()
    }
    shown = gans("list").out
    for entries in found.values():
        for name, line in entries.items():
            assert line, f"{name} says nothing of itself"
            assert re.search(rf"^  {re.escape(name)} +{re.escape(line)}$", shown, re.MULTILINE)


@pytest.mark.parametrize("plural", PLURALS)
def test_list_of_one_kind(plural: str, gans: Gans) -> None:
    assert list(json.loads(gans(f"list {plural} --json").out)) == [plural]
    lines = gans(f"list {plural}").out.splitlines()
    assert (lines[0], len(lines) - 1) == (plural, len(registry.names_of(PLURALS[plural])))


def test_list_knows_plugins(gans: Gans, moody: Callable[[str], None]) -> None:
    moody("calm")
    assert json.loads(gans("list losses --json --plugin moody.py").out)["losses"]["moody"].startswith("Moody")
    assert "moody" not in gans("list losses").out
