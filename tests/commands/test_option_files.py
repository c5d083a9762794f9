"""Options in config files: nested or by key, in JSON, YAML and TOML, and of before they stood apart."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.config.files import read_config, settings_from
from experiments.config.resolve import resolve
from experiments.core.settings import read_setting
from tests.commands.helpers import Refused

OLD_RUNS = Path(__file__).parents[1] / "old_runs"

CONFIGS = [
    ({"arch": {"name": "mlp", "hiden_layers": 2}}, "architecture mlp", "did you mean arch.hidden_layers"),
    ({"arhc": {"hidden_layers": 2}}, "arhc", "did you mean arch"),
    ({"arch.hidden_layers": 0}, "mine.json", "arch.hidden_layers", "'0'"),
    ({"arch.hidden_layers": "2.5"}, "mine.json", "arch.hidden_layers", "whole number"),
    ({"optimizer": {"betas": [0.5, 1]}}, "mine.json", "optimizer.betas", "below 1"),
    ({"optimizer": {"name": "adan"}}, "unknown optimizer 'adan'", "did you mean adam"),
]


@pytest.mark.parametrize(("content", "mentions"), [(content, rest) for content, *rest in CONFIGS], ids=str)
def test_what_a_file_cannot_set(
    content: dict[str, Any], mentions: list[str], refused: Refused, workplace: Path
) -> None:
    (workplace / "mine.json").write_text(json.dumps({"arch": "mlp", "data": "ring8", **content}))
    refused(2, tuple(mentions), "run --config mine.json --dry-run")


NESTED: dict[str, Any] = {
    "arch": {"name": "stylegan2", "mapping_layers": 2, "style_mixing": 0.25},
    "optimizer": {"betas": [0.1, 0.9], "weight_decay": 0.01},
    "minibatch_statistic": {"group_size": 2},
    "penalty": ["real", "dragan"],
    "dragan": {"spread": 0.7},
    "ema": {"ramp_up": 0.1},
    "image_size": [16, 16],
    "width": 4,
    "augment": {"flip": 0.5},
    "schedule": [["penalty_weight", "cosine", 10.0, 1.0]],
    "steps": 3,
}
AS_YAML = """
arch: {name: stylegan2, mapping_layers: 2, style_mixing: 0.25}
optimizer:
  betas: [0.1, 0.9]
  weight_decay: 0.01
minibatch_statistic: {group_size: 2}
penalty: [real, dragan]
dragan:
  spread: 0.7
ema:
  ramp_up: 0.1
image_size: 16
width: 4
augment: {flip: 0.5}
schedule: penalty_weight=cosine:10:1
steps: 3
"""
AS_TOML = """
penalty = ["real", "dragan"]
image_size = [16, 16]
width = 4
steps = 3
schedule = "penalty_weight=cosine:10:1"
optimizer.betas = [0.1, 0.9]
optimizer.weight_decay = 0.01

[arch]
name = "stylegan2"
mapping_layers = 2
style_mixing = 0.25

[minibatch_statistic]
group_size = 2

[dragan]
spread = 0.7

[ema]
ramp_up = 0.1

[augment]
flip = 0.5
"""


def test_yaml_and_toml_are_the_same_as_json(tmp_path: Path) -> None:
    texts = {"json": json.dumps(NESTED), "yaml": AS_YAML, "yml": yaml.safe_dump(NESTED), "toml": AS_TOML}
    assert tomllib.loads(AS_TOML)["arch"] == NESTED["arch"]
    specs = {}
    for suffix, text in texts.items():
        file = tmp_path / f"mine.{suffix}"
        file.write_text(text)
        specs[suffix] = resolve({"device": "cpu"}, read_config(file), "mine")
    wanted = specs["json"]
    assert wanted.settings.arch == "stylegan2"
    assert wanted.settings.options["arch.mapping_layers"] == 2
    assert wanted.settings.options["optimizer.betas"] == (0.1, 0.9)
    assert wanted.settings.options["dragan.spread"] == 0.7
    assert wanted.settings.schedule == (("penalty_weight", "cosine", 10.0, 1.0),)
    assert wanted.sources["arch.mapping_layers"] == "config mine"
    for suffix, spec in specs.items():
        assert spec == wanted, suffix


def test_nested_and_flat_options_are_the_same(tmp_path: Path) -> None:
    nested, flat = tmp_path / "nested.json", tmp_path / "flat.json"
    nested.write_text(json.dumps({"arch": {"name": "mlp", "hidden_layers": 2}, "data": {"name": "ring8"}}))
    flat.write_text(json.dumps({"arch": "mlp", "arch.hidden-layers": 2, "data": "ring8"}))
    assert read_config(nested) == read_config(flat)


@pytest.mark.parametrize(
    ("name", "text", "mentions"),
    [
        ("mine.yaml", "width: [1", ("mine.yaml", "not YAML")),
        ("mine.yaml", "- width", ("mine.yaml", "YAML object")),
        ("mine.yaml", "widht: 3", ("widht", "did you mean width")),
        ("mine.toml", "width = ", ("mine.toml", "not TOML")),
        ("mine.toml", "[arhc]\nhidden_layers = 2", ("arhc", "did you mean arch")),
        ("mine.toml", "width = 2026-01-01", ("mine.toml", "width")),
    ],
)
def test_faults_in_other_languages(name: str, text: str, mentions: tuple[str, ...], refused: Refused) -> None:
    Path(name).write_text(text)
    refused(2, mentions, f"run --arch mlp --data ring8 --config {name} --dry-run")


# --- configs of before options stood apart -----------------------------------------------------------

SHORT = {
    "betas": "optimizer.betas",
    "weight_decay": "optimizer.weight_decay",
    "style_mixing": "arch.style_mixing",
    "fade_kimg": "arch.fade_kimg",
    "stable_kimg": "arch.stable_kimg",
    "stage_batch_sizes": "arch.stage_batch_sizes",
}


FLAT = sorted(
    path.parent.name for path in OLD_RUNS.glob("*/config.json") if "term_weights" in path.read_text()
)


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_config_has_the_same_options(name: str) -> None:
    """Every value that it states, at its key; and what its version had no words for, at its default."""
    file = OLD_RUNS / name / "config.json"
    flat = {key: entry["value"] for key, entry in json.loads(file.read_text())["settings"].items()}
    stated = {
        SHORT[key]: read_setting(key, value)
        for key, value in flat.items()
        if key in SHORT and value not in (None, [])
    }
    stated |= {f"arch.{term}_weight": weight for term, weight in flat["term_weights"]}
    assert stated["optimizer.betas"]
    settings = settings_from(read_config(file))
    assert {key: settings.options[key] for key in stated} == stated
    again = resolve({}, read_config(file), "config.json").settings
    assert {key: again.options[key] for key in stated} == stated
    components = ("arch", "data", "loss", "penalty", "optimizer", "minibatch_statistic", "augment", "track")
    own = {name: getattr(again, name) for name in components if getattr(again, name) is not None}
    defaults = resolve({**own, "device": "cpu"}).settings.options
    unknown_then = again.options.keys() - stated.keys() - {"arch.fade_kimg", "arch.stable_kimg"}
    assert {key: again.options[key] for key in unknown_then} == {key: defaults[key] for key in unknown_then}
    for field, value in flat.items():
        if field not in {*SHORT, "term_weights"}:
            assert getattr(again, field) == read_setting(field, value), field
