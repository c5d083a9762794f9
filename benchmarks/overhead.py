"""Cost of the laboratory: speed of its training loop against hand-written loops, in one process.

    python benchmarks/overhead.py [--rounds 12] [--steps 20]

The same networks, loss and optimizers are trained on the same data three ways, in blocks of steps that
take turns, so that a slow moment of the machine meets all of them:

laboratory   train_steps of experiments/training/trainer.py with everything that `gans run` does: seeds,
             EMA, scores and their check, progress, sample grids and checkpoints at their intervals
bare         a loop of the same operations and nothing else, on float images that are ready in memory
usual        the loop as tutorials write it: no channels-last memory, the critic not frozen in the
             generator's step

Printed are medians over the rounds of time per step, and the ratio to the bare loop block by block.
Goal: laboratory / bare ≤ 1.02. The status is 1 where it is above 1.04 by more than 3 %.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from experiments.config.resolve import resolve
from experiments.core.background_writer import BackgroundWriter
from experiments.core.stop_signal import StopSignal
from experiments.data import shapes
from experiments.runs.folder import RunFolder
from experiments.trackers.core.tracker import TrackedRun
from experiments.trackers.local import LocalTracker
from experiments.training.callbacks import Callback
from experiments.training.checkpoint_callback import Checkpointer
from experiments.training.experiment import Experiment, build
from experiments.training.metric_logging import GradientNorms, MetricLogger
from experiments.training.progress import ProgressLine
from experiments.training.sample_grids import SampleGrid
from experiments.training.steps import train_steps

CASES = [
    {"arch": "dcgan", "loss": "bce"},
    {"arch": "dcgan", "loss": "wgan-gp"},
    {"arch": "dcgan", "loss": "wgan-gp", "data": "fashion-mnist"},
    {"arch": "mlp", "loss": "wgan-gp", "data": "ring8"},
]
MOST = 1.04 * 1.03  # 3 % are noise
READY = 4096  # images in memory: as many shapes as are drawn
Block = Callable[[int], None]


def laboratory(flags: dict[str, object], folder: Path) -> Block:
    """Makes a block of training steps with everything that `gans run` does."""
    experiment: Experiment = build(resolve(flags))
    run = RunFolder(folder)
    run.prepare()
    line, stop = ProgressLine(experiment.total_steps, 0), StopSignal()
    tracker = LocalTracker(TrackedRun(run.path))
    metric_logger = MetricLogger(tracker, line.show)
    images, writer = experiment.total_images, BackgroundWriter()
    callbacks: list[Callback] = [
        line.advance,
        GradientNorms(experiment.players),
        metric_logger,
        SampleGrid(experiment, run.samples, images // 8, tracker, writer),
        Checkpointer(experiment, run.checkpoints(), images // 10, metric_logger, writer),
    ]
    done = 0

    def block(steps: int) -> None:
        nonlocal done
        whole, experiment.total_steps = experiment.total_steps, done + steps
        # The block's end is not the run's: only the intervals may write pictures and checkpoints.
        inner: list[Callback] = [
            lambda progress, scores, callback=callback: callback(replace(progress, is_last=False), scores)
            for callback in callbacks
        ]
        train_steps(experiment, done, inner, stop)
        done, experiment.total_steps = done + steps, whole

    return block


def by_hand(flags: dict[str, object], tuned: bool) -> Block:
    """Makes a block of training steps of a hand-written loop.

    The laboratory lends its networks, their first weights and the data.

    Args:
        tuned: whether it uses channels-last memory and freezes the critic in the generator's step.
    """
    experiment = build(resolve(flags))
    settings = experiment.spec.settings
    generator, critic = experiment.game.generator_network, experiment.game.critic_network
    layout = torch.channels_last if tuned and settings.image_size else torch.contiguous_format
    if settings.image_size:
        generator.to(memory_format=layout), critic.to(memory_format=layout)
    generator.requires_grad_(True), critic.requires_grad_(True)
    betas = settings.options["optimizer.betas"]
    make = lambda network, rate: torch.optim.Adam(network.parameters(), lr=rate, betas=betas)  # noqa: E731
    generator_optimizer, critic_optimizer = (
        make(generator, settings.lr_generator),
        make(critic, settings.lr_critic),
    )
    count = min(READY, len(experiment.loader.data))
    reals = experiment.loader.prepare(experiment.loader.data.fetch(torch.arange(count)))
    batch, wasserstein = settings.batch_size, settings.loss == "wgan-gp"
    ones, zeros = torch.ones(batch), torch.zeros(batch)

    def gradient_penalty(real: Tensor, fake: Tensor) -> Tensor:
        epsilon = torch.rand(batch, *[1] * (real.dim() - 1))
        points = (epsilon * real + (1 - epsilon) * fake).requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
        return settings.penalty_weight * (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()

    def block(steps: int) -> None:
        for _ in range(steps):
            for _ in range(settings.n_critic):
                real = reals[torch.randint(count, (batch,))]
                if tuned and settings.image_size:
                    real = real.contiguous(memory_format=layout)
                z = torch.randn(batch, settings.z_dim)
                if tuned:
                    critic.requires_grad_(True), generator.requires_grad_(False)
                    with torch.no_grad():
                        fake = generator(z)
                else:
                    fake = generator(z).detach()
                critic_optimizer.zero_grad()
                if wasserstein:
                    loss = critic(fake).mean() - critic(real).mean() + gradient_penalty(real, fake)
                else:
                    loss = binary_cross_entropy_with_logits(critic(real), ones)
                    loss = loss + binary_cross_entropy_with_logits(critic(fake), zeros)
                loss.backward()
                critic_optimizer.step()
            if tuned:
                critic.requires_grad_(False), generator.requires_grad_(True)
            generator_optimizer.zero_grad()
            fooled = critic(generator(torch.randn(batch, settings.z_dim)))
            loss = -fooled.mean() if wasserstein else binary_cross_entropy_with_logits(fooled, ones)
            loss.backward()
            generator_optimizer.step()

    return block


def measure(
    blocks: dict[str, Block], rounds: int, steps: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Milliseconds per step of each loop, in rounds of one block each, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in blocks}
    names = list(blocks)
    for turn in range(rounds + 1):
        for name in names if turn % 2 else names[::-1]:
            began = clock()
            blocks[name](steps)
            if turn:
                times[name].append((clock() - began) / steps * 1000)
    return times


def main() -> None:
    """Prints the times of all cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    shapes.LENGTH = READY
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds\n")
    print(f"{'case':<48}{'bare ms':>9}{'laboratory / bare':>20}{'usual / bare':>15}")
    holds = True
    for flags in CASES:
        with tempfile.TemporaryDirectory() as folder:
            # Tiny networks get longer blocks, so that a block is long against the clock's noise.
            steps = options.steps * (10 if flags["arch"] == "mlp" else 1)
            blocks = {
                "bare": by_hand(dict(flags), tuned=True),
                "laboratory": laboratory(dict(flags), Path(folder)),
                "usual": by_hand(dict(flags), tuned=False),
            }
            times = measure(blocks, options.rounds, steps)
        ratios = {
            name: statistics.median(a / b for a, b in zip(times[name], times["bare"], strict=True))
            for name in ("laboratory", "usual")
        }
        case = " ".join(f"{name}={value}" for name, value in flags.items())
        bare = statistics.median(times["bare"])
        print(f"{case:<48}{bare:>9.1f}{ratios['laboratory']:>20.3f}{ratios['usual']:>15.3f}", flush=True)
        holds = holds and ratios["laboratory"] <= MOST
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
