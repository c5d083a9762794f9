"""Modes of a Gaussian mixture in the plane that generators cover, by loss and seed.

    python benchmarks/modes.py [--data ring8,grid25] [--loss wgan-gp,…|all] [--seeds 1] [--kimg K]

Trains `gans run --arch mlp` for each, then counts over 10,000 samples of the EMA generator. A mode is
covered when more than 20 samples lie within 3 deviations of it (VEEGAN's and PacGAN's count); a sample
within 3 deviations of any mode is of high quality. Goal: 8 of 8 and 25 of 25, 80 % of high quality.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.data.core.sources import open_source
from experiments.runs.folder import RunFolder
from experiments.runs.generator import from_noise, generate, load_generator
from experiments.training.run import run
from metrics.modes import Modes

SAMPLES = 10_000
KIMG = {"ring8": 5000, "grid25": 12_000}


def train(folder: Path, **flags: Any) -> None:
    """Trains an mlp in a folder."""
    run(resolve({"arch": "mlp", "track": ("local",), **flags}), RunFolder(folder))


def count(folder: Path) -> dict[str, float]:
    """Counts the modes that the run's generator covers; returns its scores."""
    generator, settings = load_generator(folder)
    source = open_source(settings.data)
    metric = Modes(source.centres, source.options.sigma)
    metric.update(generate(from_noise(generator, str(folder)), SAMPLES, seed=0))
    return metric.compute() | {"modes": len(source.centres)}


def main() -> None:
    """Trains all runs, and prints a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="ring8,grid25")
    parser.add_argument("--loss", default="wgan-gp", help="names of losses, or all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--kimg", type=float)
    options = parser.parse_args()
    losses = registry.loss_names() if options.loss == "all" else options.loss.split(",")
    print(f"{'data':<8}{'loss':<16}{'seed':>5}{'covered':>12}{'high quality':>15}{'seconds':>10}")
    for data in options.data.split(","):
        for loss in losses:
            for seed in range(options.seeds):
                length = {"kimg": options.kimg or KIMG.get(data, 5000)}
                began = time.monotonic()
                with tempfile.TemporaryDirectory() as folder:
                    train(Path(folder), data=data, loss=loss, seed=seed, **length)
                    scores = count(Path(folder))
                covered = f"{scores['covered']:.0f} of {scores['modes']}"
                quality, seconds = f"{scores['high_quality']:.1%}", time.monotonic() - began
                print(f"{data:<8}{loss:<16}{seed:>5}{covered:>12}{quality:>15}{seconds:>10.0f}", flush=True)


if __name__ == "__main__":
    main()
