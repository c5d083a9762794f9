"""Speed of bf16 against float32, and a gradient penalty in each of them, in whole cycles of dcgan.

    python benchmarks/precision_speed.py [--rounds 10] [--cycles 2] [--loss wgan-gp] [--threads 2]

At 32 pixels, width 64 and batch 64. Three games from one seed take turns: in float32, in bf16 as
`--precision bf16` has it, where penalties are in float32, and in bf16 with penalties in bf16 too. Printed are
medians of milliseconds a cycle, the medians of the rounds' ratios to float32, and the errors of the first
update's gradients, and of the penalty, on equal weights.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.precision import compare, gradients
from experiments.config.resolve import resolve
from experiments.training.experiment import Experiment, build
from losses.core import gradient_penalty

VARIANTS = {"fp32": None, "bf16": torch.bfloat16, "bf16, penalty too": torch.bfloat16}
LOWERED = "bf16, penalty too"


@contextmanager
def lowered(device: torch.device) -> Iterator[None]:
    """Context in which a penalty multiplies in bfloat16, too."""
    with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
        yield


def variant(name: str) -> object:
    """Context of a variant: where its penalties are computed."""
    is_lowered = name == LOWERED
    return mock.patch.object(gradient_penalty, "full_precision", lowered) if is_lowered else nullcontext()


def make(loss: str, name: str, device: str) -> Experiment:
    """Builds the experiment of a variant."""
    flags = {"arch": "dcgan", "loss": loss, "data": "shapes", "image_size": (32, 32), "device": device}
    experiment = build(resolve({**flags, "width": 64, "batch_size": 64}))
    for player in experiment.players:
        player.product_type = VARIANTS[name]
    return experiment


def milliseconds(experiment: Experiment, name: str, cycles: int) -> float:
    """Milliseconds a cycle."""
    with variant(name):  # type: ignore[attr-defined]
        began = time.perf_counter()
        for _ in range(cycles):
            scores = experiment.game.round(experiment.loader)
        next(iter(scores.values())).item()  # waits for an accelerator
        return (time.perf_counter() - began) / cycles * 1000


def main() -> None:
    """Prints a row for each variant."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cycles", type=int, default=2)
    parser.add_argument("--loss", default="wgan-gp")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    experiments = {name: make(arguments.loss, name, arguments.device) for name in VARIANTS}
    exact = gradients(experiments["fp32"], None)
    errors = {}
    for name, dtype in VARIANTS.items():
        with variant(name):  # type: ignore[attr-defined]
            found = gradients(experiments["fp32"], dtype)
        errors[name] = {player: compare(found[player], exact[player]) for player in exact}
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(arguments.rounds + 1):
        for name, experiment in experiments.items():
            times[name].append(milliseconds(experiment, name, arguments.cycles))
    print("| variant | ms a cycle | fp32 / it | cosine, norm: generator | critic |")
    print("|---|---|---|---|---|")
    for name, found_times in times.items():
        pairs = zip(times["fp32"][1:], found_times[1:], strict=True)  # the first round warms up
        ratio = statistics.median(one / other for one, other in pairs)
        players = " | ".join(f"{errors[name][p][0]:.5f}, {errors[name][p][1]:.4f}" for p in errors[name])
        print(f"| {name} | {statistics.median(found_times[1:]):.1f} | {ratio:.2f} | {players} |")


if __name__ == "__main__":
    main()
