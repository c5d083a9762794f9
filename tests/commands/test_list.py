"""`gans list` says what there is."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.core import registry
from tests.commands.helpers import POINTS, Gans, Refused, read_scores

PLURALS = {"architectures": "architecture", "losses": "loss", "data": "data"}
PLURALS |= {"penalties": "penalty", "regularizers": "regularizer", "trackers": "tracker"}
PLURALS |= {"metrics": "metric", "extractors": "extractor", "penalty-norms": "penalty-norm"}
PLURALS |= {"norms": "norm", "batch-statistics": "batch-statistic", "optimizers": "optimizer"}
PLURALS |= {
    "schedules": "schedule",
    "augmentations": "augmentation",
    "critic-augmentations": "critic-augmentation",
    "formats": "published-format",
}


def test_list_is_the_registry(gans: Gans) -> None:
    outcome = gans("list --json")
    assert outcome.err == ""
    found = json.loads(outcome.out)
    assert {plural: list(entries) for plural, entries in found.items()} == {
        plural: registry.plugin_names(kind) for plural, kind in PLURALS.items()
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
    assert (lines[0], len(lines) - 1) == (plural, len(registry.plugin_names(PLURALS[plural])))


def test_list_knows_plugins(gans: Gans, moody: Callable[[str], None]) -> None:
    moody("calm")
    assert json.loads(gans("list losses --json --plugin moody.py").out)["losses"]["moody"].startswith("Moody")
    assert "moody" not in gans("list losses").out


def test_list_of_a_name_shows_its_options(gans: Gans) -> None:
    """With the words that `gans run` takes, defaults, bounds, and a line of help."""
    shown = gans("list stylegan2").out
    assert "(architecture)" in shown and "arXiv:1912.04958" in shown
    assert re.search(
        r"--set arch\.mapping_layers=…  \(default: 8; at least 1\)\n +Layers of the mapping",
        shown,
    )
    (found,) = json.loads(gans("list stylegan2 --json").out)["stylegan2"]
    (option,) = [each for each in found["options"] if each["key"] == "arch.mapping_layers"]
    assert (option["default"], option["at_least"]) == (8, 1) and option["help"].startswith("Layers")
    assert "--set dragan.spread=…" in gans("list dragan").out, "of a loss and of a penalty"
    assert "--set optimizer.betas=…  (default: 0.9,0.999" in gans("list adam").out
    assert "no options of its own" in gans("list dcgan").out


@pytest.mark.parametrize("kind", sorted(set(PLURALS.values()) - {"loss"}))
def test_every_name_can_be_shown(kind: str, gans: Gans) -> None:
    for name in registry.names(kind):
        outcome = gans(f"list {name} --json")
        if outcome.status == 0:
            found = json.loads(outcome.out)[name]
            (own,) = [each for each in found if each["kind"] == kind]
            assert own["summary"]
            assert all(option["help"] and "." in option["key"] for option in own["options"])
        else:
            assert "cannot be loaded" in outcome.err, "of a part that is not installed"


def test_a_plugin_shows_its_options(gans: Gans) -> None:
    Path("softer.py").write_text(
        '"""Softer numbers."""\n'
        "from dataclasses import dataclass as _dataclass\n"
        "from losses.adversarial.bce import BinaryCrossEntropy as _Usual\n"
        "from losses.core.options import option as _option\n"
        "@_dataclass(frozen=True)\n"
        "class _Options:\n"
        '    softness: float = _option(0.5, "Share that is left.", above=0.0, below=1.0)\n'
        "class Softer(_Usual):\n"
        "    options_type = _Options\n"
        "    def __init__(self, options): self.options = options\n"
        "    def critic(self, real_logits, fake_logits):\n"
        "        return self.options.softness * super().critic(real_logits, fake_logits)\n"
    )
    shown = gans("list softer --plugin softer.py").out
    assert (
        "--set loss.softness=…  (default: 0.5; above 0; below 1)" in shown and "Share that is left." in shown
    )
    scores = {}
    for softness in (0.5, 0.25):
        line = f"run {POINTS} --steps 1 --plugin softer.py --loss softer --set loss.softness={softness}"
        outcome = gans(f"{line} --out run-{softness}")
        assert outcome.status == 0, outcome.err
        scores[softness] = read_scores(Path(f"run-{softness}"))[0]["critic/adversarial"]
    assert scores[0.5] == pytest.approx(2 * scores[0.25], rel=1e-5)


def test_an_unknown_name_has_close_matches(refused: Refused) -> None:
    refused(2, ("stylegan3", "did you mean stylegan"), "list stylegan3")
    refused(2, ("optimisers", "did you mean optimizers"), "list optimisers")
