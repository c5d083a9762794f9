"""Runs to evaluate: a generator of pictures with three checkpoints, and any translator."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.evaluation.helpers import FEW, SIZE, SMALL, Gans


@pytest.fixture
def trained(gans: Callable[..., Any], pictures: Path) -> Path:
    """A finished run on twelve pictures, in the folder `run`, with the checkpoints of steps 1, 2 and 3."""
    words = "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 3 --checkpoint-kimg 0.004 --keep 3"
    outcome = gans(f"run --arch dcgan --loss bce --data folder:{pictures} {words} --out run")
    assert outcome.status == 0, outcome.err
    return Path("run")


@pytest.fixture
def run(gans: Gans) -> Callable[..., Path]:
    """A tiny run of an architecture that translates, on its own data or on what the flags say."""

    def train(arch: str, flags: str = f"--image-size {SIZE[0]}") -> Path:
        outcome = gans(f"run --arch {arch} {SMALL} {flags} --out {arch}")
        assert outcome.status == 0, outcome.err
        return Path(arch)

    return train


@pytest.fixture
def evaluated(gans: Gans) -> Callable[..., dict[str, Any]]:
    """The scores of a run of a translator by `gans evaluate`."""

    def evaluate(run: Path, flags: str = "") -> dict[str, Any]:
        outcome = gans(f"evaluate {run} {FEW} {flags} --json")
        assert outcome.status == 0, outcome.err
        return json.loads(outcome.out)

    return evaluate
