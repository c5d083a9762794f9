"""Flags of small runs, and what tests of the commands read of a run."""

import contextlib
import json
import re
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.core.settings import FIELDS
from experiments.runs.checkpoint import load_checkpoint
from tests.conftest import POINTS as POINTS

IMAGES = (
    "--arch dcgan --loss bce --data folder:pictures "
    "--image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 3"
)
MOODY = "--plugin moody.py --loss moody"
Gans = Callable[..., Any]
Refused = Callable[..., str]
Mood = Callable[[str], None]
# The options of every component of an mlp on ring8; dcgan has none of its own.
OPTIONS_OF_ALL = ["ema.ramp_up", "optimizer.betas", "optimizer.weight_decay"]


def everything_below(folder: Path) -> dict[str, bytes]:
    """The content of every file in a folder, by its path there."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def read_scores(run: Path) -> list[dict[str, float]]:
    """The lines of a run's scores."""
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


def settings_of(run: Path) -> dict[str, Any]:
    """Settings and options in a run's config, by name."""
    entries = json.loads((run / "config.json").read_text())["settings"]
    return {name: entry["value"] for name, entry in entries.items()}


def exported(run: Path) -> bytes:
    """The bytes of a run's exported generator."""
    return (run / "generator.safetensors").read_bytes()


def weights_are_finite(checkpoint: Path) -> bool:
    """Whether all numbers in a checkpoint's networks are finite."""
    content = load_checkpoint(checkpoint)
    tensors = [*content["ema"].values(), *content["game"].values()]
    return all(bool(t.isfinite().all()) for t in tensors if isinstance(t, torch.Tensor))


def is_setting(word: str) -> bool:
    """Whether a word of a dry run is the name of a setting or the key of an option."""
    return word in FIELDS or re.fullmatch(r"[\w-]+\.[a-z]\w*", word) is not None


@contextlib.contextmanager
def limited(resource_name: int, size: int) -> Iterator[None]:
    """The kernel refuses more than that to this process."""
    before = resource.getrlimit(resource_name)
    resource.setrlimit(resource_name, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource_name, before)


def files_up_to(size: int) -> contextlib.AbstractContextManager[None]:
    """No file may grow beyond `size` bytes, as on a disk that is full."""
    return limited(resource.RLIMIT_FSIZE, size)


def little_memory(mebibytes: int = 64) -> contextlib.AbstractContextManager[None]:
    """Little more than now, so that a request for all memory fails before it takes the machine's."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("does not know how much memory the process has")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return limited(resource.RLIMIT_AS, pages * resource.getpagesize() + mebibytes * 2**20)
