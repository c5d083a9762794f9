"""Whether processes that share their batches train to the weights of one process, in float64.

    python benchmarks/processes.py [--processes 2,4] [--steps 3] [--every 1]

Every architecture trains with every loss, with every regularizer, augmentation, critic norm and minibatch
statistic that it takes, in one process and in several (gloo, on this machine). Printed is the largest
difference of any number in their states (weights, EMAs, moments of the optimizers, running statistics, pools)
and of the scores, and whether the processes are equal to the bit. Adam has an epsilon of 0.1 here: with 1e-8
it makes steps of parameters whose gradient is only rounding, such as a bias before an instance norm.
"""

import argparse
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as mp
from torch import Tensor

from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.processes import joined_processes
from experiments.core.stop_signal import StopSignal
from experiments.training.experiment import build
from experiments.training.steps import train_steps

Case = dict[str, Any]
Strengths = dict[str, float]
State = dict[str, Tensor]
MOST = 1e-12  # difference that is rounding


def train(case: Case, strengths: Strengths) -> State:
    """Trains a case; returns every number that its next step depends on, and its scores, by name."""
    experiment = build(resolve({"device": "cpu", "precision": "fp64", **case}, strengths=strengths))
    for player in experiment.players:
        if "eps" in player.hyperparameters:
            player.set_hyperparameter("eps", 0.1)
    scores: list[Mapping[str, Tensor]] = []
    train_steps(experiment, 0, [lambda progress, found: scores.append(dict(found))], StopSignal())
    return dict(tensors_of({"state": experiment.state_dict(), "scores": scores}))


def tensors_of(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors within dictionaries and lists, by their path."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping | list | tuple):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, part in parts:
            yield from tensors_of(part, f"{name}.{key}")


def largest_difference(a: State, b: State) -> float:
    """The largest difference of two states, beside the largest number of its tensor; inf for other names."""
    if a.keys() != b.keys():
        return float("inf")
    pairs = ((a[name].double(), b[name].double()) for name in a if a[name].numel())
    return max(((x - y).abs().max() / x.abs().max().clamp_min(1.0)).item() for x, y in pairs)


def train_in_processes(
    cases: list[tuple[Case, Strengths]], count: int, prepare: Callable[[], None] | None = None
) -> list[list[State]]:
    """Trains cases in several processes: states by case and process.

    Args:
        prepare: called first in each of them.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        start: Any = mp.start_processes
        start(_train_part, (count, cases, folder, port, prepare), count, start_method="forkserver")
        return [
            [torch.load(Path(folder, f"{number}-{rank}.pt")) for rank in range(count)]
            for number in range(len(cases))
        ]


def _train_part(
    rank: int,
    count: int,
    cases: list[tuple[Case, Strengths]],
    folder: str,
    port: int,
    prepare: Callable[[], None] | None,
) -> None:
    """Trains cases in one of several processes, and saves its states."""
    if prepare is not None:
        prepare()
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count)}
    torch.set_num_threads(1)
    with joined_processes():
        for number, case in enumerate(cases):
            torch.save(train(*case), Path(folder, f"{number}-{rank}.pt"))


def tiny(arch: str, batch_size: int = 8, steps: int = 2) -> Case:
    """Settings of a tiny run of an architecture, with more than one update of the critic a step."""
    points = {"data": "ring8"} if arch == "mlp" else {"image_size": (8, 8)}
    # Instance norm over few pixels, again and again, enlarges what is only rounding.
    shallow = {"arch.blocks": 2, "image_size": (16, 16)} if arch in ("cyclegan", "stargan") else {}
    pool = {"arch.pool_size": batch_size + 3} if arch == "cyclegan" else {}
    sizes = {"width": 4, "batch_size": batch_size, "steps": steps, "n_critic": 2, "ema_kimg": 0.1}
    return {"arch": arch, **points, **shallow, **pool, **sizes}


def all_cases(steps: int) -> dict[str, tuple[Case, Strengths]]:
    """All cases by their names."""
    found: dict[str, tuple[Case, Strengths]] = {}
    for arch in registry.names("architecture"):
        own = tiny(arch, 16, steps)
        found |= {f"{arch} {loss}": ({**own, "loss": loss}, {}) for loss in registry.loss_names()}
        for name in registry.names("regularizer"):
            found[f"{arch} {name}"] = {**own, "loss": "bce"}, {name: 0.9 if "smooth" in name else 0.1}
        for name in registry.names("augmentation"):
            found[f"{arch} {name}"] = {**own, "augment": ((name, 0.3),)}, {}
        for name in registry.names("norm"):
            found[f"{arch} {name} norm"] = {**own, "loss": "bce", "critic_norm": name}, {}
        for name in registry.names("batch-statistic"):
            found[f"{arch} {name} statistic"] = {**own, "minibatch_statistic": name}, {}
        found[f"{arch} with labels"] = {**own, "conditional": True}, {}
        found[f"{arch} dropout"] = {**own, "critic_dropout": 0.3}, {}
    return found


def main() -> None:
    """Trains all cases, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--processes", default="2,4")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="take the first of so many cases, in turn")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    alone: dict[str, State] = {}
    cases = dict(list(all_cases(asked.steps).items())[:: asked.every])
    refused = 0
    for name, case in cases.items():
        try:
            alone[name] = train(*case)
        except UsageError:  # what does not go together in one process either
            refused += 1
    print(f"{len(alone)} cases, {refused} that do not go together", flush=True)
    for count in map(int, asked.processes.split(",")):
        states = train_in_processes([cases[name] for name in alone], count)
        found = {
            name: (
                largest_difference(alone[name], parts[0]),
                all(_is_equal(parts[0], each) for each in parts),
            )
            for name, parts in zip(alone, states, strict=True)
        }
        worst = max(found, key=lambda name: found[name][0])
        print(f"{count} processes: at most {found[worst][0]:.1e} ({worst})", end="; ")
        print("all processes equal" if all(equal for _, equal in found.values()) else "PROCESSES DIFFER")
        for name, (difference, equal) in found.items():
            if difference > MOST or not equal:
                print(f"  {name}: {difference:.1e}{'' if equal else ', processes differ'}")


def _is_equal(a: State, b: State) -> bool:
    """Whether two states are equal to the bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


if __name__ == "__main__":
    main()
