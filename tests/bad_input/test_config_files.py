"""Config files that cannot be read, or hold what cannot be."""

import re
from pathlib import Path

import pytest

from tests.commands.helpers import POINTS, Refused, everything_below

CONFIGS = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ("\xff", "not JSON"),
    ("[1]", "object"),
    ("3", "object"),
    ('{"widht": 3}', "widht", "width"),
    ('{"frobnicate": 3}', "frobnicate"),
    ('{"out": "x"}', "out"),
    ('{"width": "many"}', "width", "many"),
    ('{"width": 3.5}', "width", "3.5"),
    ('{"width": true}', "width"),
    ('{"width": null}', "width"),
    ('{"width": [3]}', "width"),
    ('{"arch": 3}', "arch"),
    ('{"arch": "dcgna"}', "dcgna", "dcgan"),
    ('{"lr_critic": NaN}', "lr_critic", "nan"),
    ('{"lr_critic": 1e400}', "lr_critic", "inf"),
    ('{"betas": 0.5}', "betas", "0.5", "pair"),
    ('{"betas": [0.5]}', "betas", "pair"),
    ('{"betas": [0.5, 1.0]}', "betas", "below 1"),
    ('{"image_size": 3.5}', "image_size", "3.5", "size"),
    ('{"image_size": [8, 8, 8]}', "image_size", "size"),
    ('{"penalty": 3}', "penalty", "'3'"),
    ('{"penalty": [3]}', "penalty", "'3'"),
    ('{"regularizers": [3]}', "regularizers", "3"),
    ('{"regularizers": ["weight-clip"]}', "regularizers", "weight-clip"),
    ('{"regularizers": {"weight-clip": "x"}}', "regularizers", "x"),
    ('{"plugin": "missing.py"}', "missing.py"),
    ('{"plugin": 3}', "plugin", "'3'"),
    ('{"steps": 3, "kimg": 4}', "steps", "kimg"),
    ('{"format": 99, "settings": {}}', "format", "99", "newer"),
    ('{"format": 1, "settings": []}', "settings"),
    ('{"format": 1, "settings": null}', "settings"),
    ('{"settings": {"width": {"from": "flag"}}}', "width"),
    ('{"settings": {"width": {"value": "x", "from": "flag"}}}', "width", "x"),
]


@pytest.mark.parametrize(("content", "mentions"), [(content, rest) for content, *rest in CONFIGS], ids=str)
def test_config_files(content: str, mentions: list[str], refused: Refused, workplace: Path) -> None:
    (workplace / "mine.json").write_bytes(content.encode("latin-1"))
    line = refused(2, tuple(mentions), "run --config mine.json --out run")
    assert not re.search(r"iterable|unpack|subscriptable|attribute", line), "in the user's words"
    assert not Path("run").exists()


@pytest.mark.parametrize("path", ["missing.json", ".", "run"])
def test_config_files_that_cannot_be_read(path: str, refused: Refused, finished: Path) -> None:
    refused(2, (path,), f"run --config {path} --out new")
    assert finished.exists()


def test_a_damaged_config_of_a_run_is_named(refused: Refused, unfinished: Path) -> None:
    config = unfinished / "config.json"
    config.write_text(config.read_text()[:100])
    before = everything_below(unfinished)
    for line in ("run --resume run", "sample run", f"run {POINTS} --out run"):
        refused(2, ("run/config.json", "not JSON"), line)
    assert everything_below(unfinished) == before
