"""Trained for real: mlp with wgan-gp finds the modes of a known mixture in the plane.

Those of the grid of 25, which take three times as long, are counted by `make soak` (benchmarks/modes.py).
"""

from pathlib import Path

import pytest

from experiments.config.resolve import resolve
from experiments.data.core.sources import open_source
from experiments.runs.folder import RunFolder
from experiments.runs.generator import generate, load_generator
from experiments.training.run import run
from metrics.modes import Modes


@pytest.mark.long
def test_all_modes_of_the_ring(tmp_path: Path) -> None:
    """More than 20 of 10,000 samples within 3 deviations of a mode cover it. An average that is too long,
    a penalty that is too strong or a critic that is not trained enough cover 0 to 3 of the ring."""
    run(
        resolve({"arch": "mlp", "loss": "wgan-gp", "data": "ring8", "kimg": 400.0}),
        RunFolder(tmp_path / "run"),
    )
    generator, _ = load_generator(tmp_path / "run")
    source = open_source("ring8")
    metric = Modes(source.centres, source.options.sigma)
    metric.update(generate(generator, 10_000, seed=0))
    scores = metric.compute()
    assert scores["covered"] == 8 and scores["high_quality"] > 0.1
