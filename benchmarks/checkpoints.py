"""Cost of a checkpoint: steps around it, written at once and written by a thread, in one process.

    python benchmarks/checkpoints.py [--rounds 5] [--case dcgan]

Blocks of steps take turns: without a checkpoint, with one that is written before the next step begins, and
with one that a thread writes from a copy of the state. Printed are medians over the rounds: how long training
stands still for the checkpoint, and how much longer the block is than the one without (with the processor
that the thread takes from training). A block ends when its checkpoint is on the disk.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from experiments.config.resolve import resolve
from experiments.core.background_writer import BackgroundWriter
from experiments.runs.checkpoint import Checkpoints
from experiments.runs.state_copy import state_bytes
from experiments.training import checkpoint_callback
from experiments.training.checkpoint_callback import Checkpointer
from experiments.training.experiment import Experiment, build
from experiments.training.metric_logging import MetricLogger

CASES = {
    "dcgan": {"arch": "dcgan", "loss": "bce", "data": "shapes", "width": 160, "batch_size": 4},
    "mlp": {"arch": "mlp", "loss": "bce", "data": "ring8", "width": 1500, "batch_size": 64},
}
MODES = ("none", "at once", "by a thread")
SECONDS = 1.5  # of a block, at least


class Block(NamedTuple):
    """Seconds that training stood still for the checkpoint of a block, and those of the whole block."""

    still: float
    whole: float


class Trained:
    """An experiment, the checkpoints of which are written in one of the ways that are compared."""

    def __init__(self, flags: dict[str, object], folder: Path) -> None:
        self.experiment: Experiment = build(resolve({**flags, "device": "cpu", "track": ("local",)}))
        self.checkpoints = Checkpoints(folder, keep=1)
        self.writer = BackgroundWriter()
        logger = MetricLogger(None, lambda line: None)  # type: ignore[arg-type]
        self.checkpointer = Checkpointer(self.experiment, self.checkpoints, 1, logger, self.writer)
        self.saved = 0
        seconds = statistics.median(timed(self.step) for _ in range(6))
        self.steps = max(8, round(SECONDS / seconds))

    def step(self) -> None:
        """Makes one step of training."""
        self.experiment.game.round(self.experiment.loader)

    def block(self, mode: str) -> Block:
        """Makes a block of steps, with a checkpoint after the second."""
        checkpoint_callback.SPARE = 2 if mode == "by a thread" else 2**60
        self.saved += 1
        began, still = time.perf_counter(), 0.0
        for number in range(self.steps):
            self.step()
            if number == 1 and mode != "none":
                still = timed(lambda: self.checkpointer.save(self.saved))
        self.writer.wait()
        return Block(still, time.perf_counter() - began)


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(case: str, rounds: int) -> None:
    """Measures a case, and prints its row."""
    with tempfile.TemporaryDirectory() as folder:
        trained = Trained(CASES[case], Path(folder))
        size = state_bytes(trained.checkpointer.content(1)) / 1e6
        blocks: dict[str, list[Block]] = {mode: [] for mode in MODES}
        for turn in range(rounds):
            for mode in MODES[turn % 3 :] + MODES[: turn % 3]:
                blocks[mode].append(trained.block(mode))
    step = statistics.median(block.whole for block in blocks["none"]) / trained.steps
    found = []
    for field in Block._fields:
        for mode in MODES[1:]:
            pairs = zip(blocks[mode], blocks["none"], strict=True)
            found.append(statistics.median(getattr(a, field) - getattr(b, field) for a, b in pairs))
    print(
        f"| {case} | {size:.0f} | {step:.3f} | " + " | ".join(f"{each:.3f}" for each in found) + " |",
        flush=True,
    )


def main() -> None:
    """Prints the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", choices=CASES, action="append")
    flags = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {flags.rounds} rounds\n")
    ways = "at once | by a thread"
    print(f"| seconds | MB | a step | stands still: {ways} | costs in all: {ways} |")
    print("|---|---|---|---|---|---|---|")
    for case in flags.case or CASES:
        measure(case, flags.rounds)


if __name__ == "__main__":
    main()
