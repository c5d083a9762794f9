"""Compiled networks (`--compile`) against plain ones: seconds to start, and the time of a step.

    python benchmarks/compilation.py [--rounds 20] [--cases dcgan-bce,resnet-bce]

Both games of a case start from the same seed and make their steps in turn. Printed are the seconds that the
first two compiled steps take more than plain ones (nothing is kept from earlier runs), medians of the time of
a step, the median of the pairs' ratios, and the largest relative difference of the weights after one step.
"""

import argparse
import os
import statistics
import tempfile
import time

import torch

from experiments.config.resolve import resolve
from experiments.core.seeds import seed_all
from experiments.training.experiment import build

CASES = {
    "dcgan-bce": {"arch": "dcgan", "loss": "bce"},
    "dcgan-wgan-gp": {"arch": "dcgan", "loss": "wgan-gp"},
    "resnet-bce": {"arch": "resnet", "loss": "bce", "critic_norm": "none", "width": 32},
    "resnet-wgan-gp": {"arch": "resnet", "loss": "wgan-gp", "critic_norm": "none", "width": 32},
    "r3gan": {"arch": "r3gan"},
    "stylegan2": {"arch": "stylegan2"},
}


class Contestant:
    """A game with compiled or plain networks."""

    def __init__(self, flags: dict[str, object], compiled: bool) -> None:
        self.experiment = build(resolve({**flags, "device": "cpu", "compile": compiled}))
        self.step = 0

    def seconds(self) -> float:
        """Seconds of the next step."""
        self.step += 1
        seed_all(0, "step", self.step)
        began = time.perf_counter()
        self.experiment.game.round(self.experiment.loader)
        return time.perf_counter() - began


def difference(a: Contestant, b: Contestant) -> float:
    """Largest relative difference of the weights of two games."""
    pairs = zip(a.experiment.game.parameters(), b.experiment.game.parameters(), strict=True)
    return max(((x - y).abs().max() / x.abs().max().clamp_min(1e-6)).item() for x, y in pairs)


def main() -> None:
    """Prints the times of all cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cases", default=",".join(CASES))
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds\n")
    print(f"{'case':<18}{'to start s':>12}{'plain ms':>10}{'compiled ms':>13}{'ratio':>8}{'difference':>12}")
    for name in options.cases.split(","):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
            plain, compiled = Contestant(CASES[name], False), Contestant(CASES[name], True)
            start = compiled.seconds() - plain.seconds()
            found = difference(plain, compiled)
            start += compiled.seconds() - plain.seconds()
            pairs = [(plain.seconds(), compiled.seconds()) for _ in range(options.rounds)]
        before, after = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{name:<18}{start:>12.0f}{before:>10.1f}{after:>13.1f}{ratio:>8.2f}{found:>12.1e}", flush=True)


if __name__ == "__main__":
    main()
