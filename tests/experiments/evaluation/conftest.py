"""A run that evaluation has something to say about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def trained(gans: Callable[..., Any], pictures: Path) -> Path:
    """A finished run on twelve pictures, in the folder `run`, with the checkpoints of steps 1, 2 and 3."""
    words = "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 3 --checkpoint-kimg 0.004 --keep 3"
    outcome = gans(f"run --arch dcgan --loss bce --data folder:{pictures} {words} --out run")
    assert outcome.status == 0, outcome.err
    return Path("run")
