"""Errors of gradients in mixed precision: every architecture with its default loss, bf16 against float32.

    python benchmarks/precision.py [--arch NAME,…] [--steps 96] [--threads 1]

Both players' gradients are taken on equal weights, batches and random numbers, at the laptop's sizes: at
the beginning, and after some steps of training in float32. Printed is the cosine between the gradient of all
weights of a player in bf16 and that in float32, and the ratio of their norms. Beside them stands what no
mixed precision avoids: the same for gradients in float32, of weights and real samples that are rounded to
bfloat16 first.
Goal: cosine above 0.99, norm within 5 %.
"""

import argparse
import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.seeds import seed_all
from experiments.core.stop_signal import StopSignal
from experiments.training.experiment import Experiment, build
from experiments.training.steps import train_steps

Gradients = dict[str, Tensor]  # by player: all gradients of its updates in a step, one after the other
PRECISE = 0.99  # cosine that is asked for


def gradients(experiment: Experiment, dtype: torch.dtype | None) -> Gradients:
    """Gradients of all updates of a step on the experiment's weights, which stay as they are.

    Args:
        dtype: in which networks multiply; None for that of the weights.
    """
    found: dict[str, list[Tensor]] = {player.name: [] for player in experiment.players}
    state = copy.deepcopy(experiment.game.state_dict())
    seen = experiment.loader.seen
    with _without_steps(experiment, found):
        for player in experiment.players:
            player.product_type = dtype
        seed_all(0, "gradients")
        experiment.game.round(experiment.loader)
        for player in experiment.players:
            player.product_type = None
    experiment.game.load_state_dict(state)
    experiment.loader.seen = seen
    return {name: torch.cat(parts) for name, parts in found.items()}


@contextmanager
def _without_steps(experiment: Experiment, found: dict[str, list[Tensor]]) -> Iterator[None]:
    """Context in which players keep their weights, and gradients are noted."""
    patches = []
    for player in experiment.players:

        def note(player: Any = player) -> None:
            given = [torch.zeros_like(w) if w.grad is None else w.grad for w in player.weights]
            found[player.name].append(torch.cat([each.flatten() for each in given]).double())

        patches += [
            mock.patch.object(player.optimizer, "step", note),
            mock.patch.object(player, "after_step", ()),
        ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def rounded(experiment: Experiment) -> Gradients:
    """Gradients in float32 of weights and real samples that are rounded to bfloat16."""
    weights = [weight for player in experiment.players for weight in player.weights]
    before = [weight.detach().clone() for weight in weights]
    next_batch = experiment.loader.next_batch

    def next_rounded() -> Any:
        batch = next_batch()
        return batch._replace(samples=batch.samples.bfloat16().float())

    with torch.no_grad():
        for weight in weights:
            weight.copy_(weight.bfloat16())
    with mock.patch.object(experiment.loader, "next_batch", next_rounded):
        found = gradients(experiment, None)
    with torch.no_grad():
        for weight, old in zip(weights, before, strict=True):
            weight.copy_(old)
    return found


def compare(found: Tensor, exact: Tensor) -> tuple[float, float]:
    """Cosine of the angle between two gradients, and the ratio of their norms."""
    return (found @ exact / (found.norm() * exact.norm())).item(), (found.norm() / exact.norm()).item()


def main() -> None:
    """Prints a row for each architecture, player and state."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arch", default=",".join(registry.names("architecture")), help="architectures")
    parser.add_argument("--steps", type=int, default=96, help="steps of training before the second state")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| architecture | state | player | cosine | norm | cosine of rounded weights | norm |")
    print("|---|---|---|---|---|---|---|")
    for arch in arguments.arch.split(","):
        flags = {"arch": arch, "preset": "laptop", "device": "cpu", "steps": arguments.steps}
        experiment = build(resolve(flags))
        print_rows(arch, "initial", experiment)
        train_steps(experiment, 0, [], StopSignal())
        print_rows(arch, f"step {arguments.steps}", experiment)


def print_rows(arch: str, state: str, experiment: Experiment) -> None:
    """Prints the rows of an experiment's present state."""
    exact, mixed, inherent = (
        gradients(experiment, None),
        gradients(experiment, torch.bfloat16),
        rounded(experiment),
    )
    for player in exact:
        cosine, norm = compare(mixed[player], exact[player])
        least = compare(inherent[player], exact[player])
        print(
            f"| {arch} | {state} | {player} | {cosine:.4f} | {norm:.3f} | {least[0]:.4f} | {least[1]:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
