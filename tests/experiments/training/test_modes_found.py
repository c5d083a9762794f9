"""Trained for real: mlp with wgan-gp finds the modes of known mixtures in the plane."""

from pathlib import Path

import pytest

from experiments.config.resolve import resolve
from experiments.data.core.sources import open_source
from experiments.runs.folder import RunFolder
from experiments.runs.generator import generate, load_generator
from experiments.training.run import run
from metrics.modes import Modes


@pytest.mark.parametrize(("data", "kimg", "expected"), [("ring8", 1500.0, 8), ("grid25", 4000.0, 20)])
def test_modes(data: str, kimg: float, expected: int, tmp_path: Path) -> None:
    """More than 20 of 10,000 samples within 3 deviations of a mode cover it. An average that is too long,
    a penalty that is too strong or a critic that is not trained enough cover 0 to 3 of the ring."""
    run(
        resolve({"arch": "mlp", "loss": "wgan-gp", "data": data, "kimg": kimg}),
        RunFolder(tmp_path / "run"),
    )
    generator, _ = load_generator(tmp_path / "run")
    source = open_source(data)
    metric = Modes(source.centres, source.options.sigma)
    metric.update(generate(generator, 10_000, seed=0))
    assert metric.compute()["covered"] >= expected
