"""Tiny runs that are explored: with latents, with styles, a translator, and one of points."""

from pathlib import Path

import pytest
import torch

import cli
from experiments.exploration.generators import GeneratorPool
from tests.conftest import one_thread

SMALL = "--batch-size 4 --ema-kimg 0 --device cpu --track local"
RUNS = {
    "small": "--arch dcgan --loss bce --data shapes --image-size 8 --width 2 --z-dim 8 --steps 20 "
    "--lr-generator 0.1 --checkpoint-kimg 0.02 --keep 3",
    "styled": "--arch stylegan2 --data shapes --image-size 16 --width 2 --z-dim 8 --conditional --steps 3",
    "cycle": "--arch cyclegan --data shapes-styles --image-size 16 --width 2 --steps 3 --lr-generator 0.05",
    "star": "--arch stargan --data shapes-attributes --image-size 16 --width 2 --steps 2 --lr-generator 0.05",
    "points": "--arch mlp --loss bce --data ring8 --width 4 --steps 2",
}


@pytest.fixture(scope="session")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these runs by their names; nothing is changed in it."""
    folder = tmp_path_factory.mktemp("explored")
    with one_thread():
        for name, flags in RUNS.items():
            cli.main(["run", *flags.split(), *SMALL.split(), "--out", str(folder / name)])
    return folder


@pytest.fixture
def pool() -> GeneratorPool:
    return GeneratorPool(torch.device("cpu"))
