"""Speed of the explicit gradient penalty against double backward, in whole cycles of wgan-gp.

    python benchmarks/gradient_penalty.py [--rounds 12] [--steps 4]

The critic of dcgan is piecewise linear, so losses/core/input_gradient.py writes its input gradient down
as a chain of transposed layers. A cycle is one round of the game: five updates of the critic with
penalty, one of the generator. Two games from the same seed play in blocks of cycles that take turns,
one with the chain and one with automatic differentiation in its place.

Checked first, in float64: after two cycles all weights of both games agree to 5e-12. Printed are
medians of time per cycle, and the median of the blocks' ratios. Goal: 1.16.
"""

import argparse
import statistics
import time
from unittest import mock

import torch

from experiments.config.resolve import resolve
from experiments.core.seeds import seed_all
from experiments.training.experiment import Experiment, build
from gans.core.clock import Clock
from gans.core.game import BatchLoader
from gans.core.networks import Batch
from losses.core import input_gradient

CASES = [{"width": 24, "batch_size": 16}, {"width": 64, "batch_size": 64}]
EXACT = 5e-12  # Adam divides by the square root of a square, which enlarges the last bits of small gradients


class DoubleLoader:
    """Loader of a game's batches in float64."""

    def __init__(self, loader: BatchLoader) -> None:
        self.loader = loader

    @property
    def clock(self) -> Clock:
        """Clock of the wrapped loader."""
        return self.loader.clock

    def next_batch(self) -> Batch:
        """The next batch."""
        batch = self.loader.next_batch()
        return batch._replace(samples=batch.samples.double())


class Contestant:
    """Game that plays with the explicit chain of layers, or with double backward."""

    def __init__(self, case: dict[str, int], with_chain: bool) -> None:
        flags = {"arch": "dcgan", "loss": "wgan-gp", "data": "shapes", "image_size": (32, 32)}
        self.experiment: Experiment = build(resolve({**flags, "device": "cpu", **case}))
        self.with_chain = with_chain
        critic = self.experiment.game.critic_network
        assert input_gradient.piecewise_linear_layers(critic) is not None, "this critic is no chain"

    def play(self, cycles: int, loader: BatchLoader) -> None:
        """Plays cycles of the game with batches of a loader."""
        find = input_gradient.piecewise_linear_layers if self.with_chain else lambda critic: None
        with mock.patch.object(input_gradient, "piecewise_linear_layers", find):
            for _ in range(cycles):
                self.experiment.game.round(loader)

    def milliseconds(self, cycles: int) -> float:
        """Milliseconds per cycle."""
        began = time.perf_counter()
        self.play(cycles, self.experiment.loader)
        return (time.perf_counter() - began) / cycles * 1000


def difference(case: dict[str, int]) -> float:
    """Largest relative difference between the weights of both games after two cycles in float64."""
    weights = []
    for with_chain in (True, False):
        contestant = Contestant(case, with_chain)
        game = contestant.experiment.game.double()
        seed_all(0, "cycles")
        contestant.play(2, DoubleLoader(contestant.experiment.loader))
        weights.append(list(game.parameters()))
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(*weights, strict=True))


def main() -> None:
    """Checks that both games agree, then prints the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds\n")
    title = "dcgan, wgan-gp, 32 px"
    print(f"{title:<24}{'difference':>12}{'chain ms':>10}{'double backward ms':>20}{'ratio':>8}")
    for case in CASES:
        found = difference(case)
        if found > EXACT:
            raise SystemExit(f"{case}: the games differ by {found:.1e} of the largest weight in float64")
        chain, general = Contestant(case, with_chain=True), Contestant(case, with_chain=False)
        chain.milliseconds(1), general.milliseconds(1)
        times: list[tuple[float, float]] = []
        for turn in range(options.rounds):
            order = (chain, general) if turn % 2 else (general, chain)
            taken = {contestant: contestant.milliseconds(options.steps) for contestant in order}
            times.append((taken[chain], taken[general]))
        fast, slow = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(b / a for a, b in times)
        name = f"width {case['width']}, batch {case['batch_size']}"
        print(f"{name:<24}{found:>12.1e}{fast:>10.1f}{slow:>20.1f}{ratio:>8.3f}", flush=True)


if __name__ == "__main__":
    main()
