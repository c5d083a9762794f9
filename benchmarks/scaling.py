"""How time, sent bytes and memory grow with processes and with micro-batches, and what checkpointing saves.

    python benchmarks/scaling.py [--parts pairs,…] [--image-size 32] [--width 32] [--batch-size 64]

First two processes with one thread each against one process with two threads, in turn. Then processes of one
thread, and the passes of an update, are doubled: seconds of a step, bytes that a process sends in it, and the
most memory that its tensors take (of an accelerator, without the interpreter), with the exponent e of a power
law fitted to each (a number grows as n^e). Last, steps with and without --activation-checkpointing, in turn.
"""

import argparse
import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

WARM_UP, STEPS = 3, 10


def measure(settings: dict[str, Any]) -> dict[str, float]:
    """Measures steps of a run in this process, which may be one of several."""
    import torch
    import torch.distributed as dist

    from experiments.config.resolve import resolve
    from experiments.core.stop_signal import StopSignal
    from experiments.data import shapes
    from experiments.training.experiment import build
    from experiments.training.steps import train_steps
    from experiments.training.tensor_memory import TensorMemory

    sent, whole = [0.0], dist.all_reduce
    count = int(os.environ.get("WORLD_SIZE", 1))

    def all_reduce(tensor: Any, *more: Any, **named: Any) -> Any:
        sent[0] += tensor.numel() * tensor.element_size() * 2 * (count - 1) / count  # of a ring
        return whole(tensor, *more, **named)

    dist.all_reduce = all_reduce
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    shapes.LENGTH = 640  # drawn in each process, before its first step
    experiment = build(resolve({"device": "cpu", "steps": WARM_UP + STEPS, **settings}))
    state = [*experiment.game.parameters(), *experiment.game.buffers(), *experiment.ema.average.parameters()]
    ends: list[float] = []

    def note(progress: Any, scores: Any) -> None:
        if progress.step == 2:  # the first has all penalties that come at times, the second all moments
            counted.close()
        ends.append(time.perf_counter())
        if progress.step == WARM_UP:
            sent[0] = 0.0

    with ExitStack() as counted:
        memory = counted.enter_context(TensorMemory())
        train_steps(experiment, 0, [note], StopSignal())
    seconds = median(b - a for a, b in zip(ends[WARM_UP - 1 :], ends[WARM_UP:], strict=False))
    weights = sum(each.numel() * each.element_size() for each in state)
    return {"seconds": seconds, "bytes": sent[0] / STEPS, "memory": memory.peak + weights}


def run(settings: dict[str, Any], processes: int = 1, threads: int = 1) -> dict[str, float]:
    """Runs the measurement in so many new processes; returns that of the first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(processes):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
        own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        environment = {**os.environ, **(own if processes > 1 else {}), "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, __file__, "--measure", json.dumps(settings)]
        started.append(subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE))
    outputs = [process.communicate()[0] for process in started]
    found: dict[str, float] = json.loads(outputs[0].splitlines()[-1])
    return found


def exponent(counts: Sequence[int], numbers: Sequence[float]) -> float:
    """The exponent of the power law that fits numbers best, by least squares of the logarithms."""
    xs, ys = [math.log(n) for n in counts], [math.log(max(n, 1e-9)) for n in numbers]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def print_growth(title: str, counts: Sequence[int], found: Sequence[dict[str, float]]) -> None:
    """Prints how each number grows."""
    print(f"\n| {title} | seconds a step | MB sent a step | MB of memory |\n|---|---|---|---|")
    for count, each in zip(counts, found, strict=True):
        print(f"| {count} | {each['seconds']:.3f} | {each['bytes'] / 1e6:.2f} | {each['memory'] / 1e6:.0f} |")
    sent = [(count, each["bytes"]) for count, each in zip(counts, found, strict=True) if each["bytes"] > 0]
    of_bytes = f"{exponent(*zip(*sent, strict=True)):+.2f}" if len(sent) > 1 else "–"
    others = [exponent(counts, [each[name] for each in found]) for name in ("seconds", "memory")]
    print(f"| exponent | {others[0]:+.2f} | {of_bytes} | {others[1]:+.2f} |", flush=True)


def print_checkpointing(settings: dict[str, Any], archs: Sequence[str], rounds: int) -> None:
    """Prints time and memory with activation checkpointing, relative to without."""
    print("\n| `--activation-checkpointing` | time | memory | MB without |\n|---|---|---|---|")
    for arch in archs:
        own = {**settings, "arch": arch}
        if arch in ("progan", "stylegan"):  # which grow to the full size
            own["arch.initial_side"] = settings["image_size"]
        pairs = [
            [run({**own, "activation_checkpointing": on}) for on in (False, True)] for _ in range(rounds)
        ]
        time_ratio = median(on["seconds"] / off["seconds"] for off, on in pairs)
        off, on = (each["memory"] for each in pairs[0])
        print(f"| {arch} | {time_ratio:.2f} | {on / off:.2f} | {off / 1e6:.0f} |", flush=True)


def print_pairs(settings: dict[str, Any], archs: Sequence[str], rounds: int) -> None:
    """Prints images a second of two processes with one thread each, relative to one with two threads."""
    print("\n| 2 processes × 1 thread / 1 process × 2 threads | images/s | rounds |\n|---|---|---|")
    for arch in archs:
        ratios = []
        for _ in range(rounds):
            two, one = run({**settings, "arch": arch}, 2, 1), run({**settings, "arch": arch}, 1, 2)
            ratios.append(one["seconds"] / two["seconds"])
        shown = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
        print(f"| {arch} | {median(ratios):.2f} | {shown} |", flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", default="pairs,processes,passes,checkpointing")
    parser.add_argument("--archs", default="dcgan,r3gan", help="of pairs and processes")
    parser.add_argument("--passes-arch", default="r3gan")
    parser.add_argument("--checkpointed", default="r3gan,stylegan2,progan,stylegan,cyclegan,stargan")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print_measured(json.loads(asked.measure))
        return
    parts, archs = asked.parts.split(","), asked.archs.split(",")
    settings = {"image_size": asked.image_size, "width": asked.width, "batch_size": asked.batch_size}
    if "pairs" in parts:
        print_pairs(settings, archs, asked.rounds)
    for arch in archs if "processes" in parts else ():
        counts = [1, 2, 4]
        found = [run({**settings, "arch": arch}, count) for count in counts]
        print_growth(f"{arch}: processes of one thread", counts, found)
    if "passes" in parts:
        passes = [1, 2, 4, 8]
        sizes = [asked.batch_size // count for count in passes]
        found = [run({**settings, "arch": asked.passes_arch, "micro_batch_size": size}) for size in sizes]
        print_growth(f"{asked.passes_arch}: passes of an update", passes, found)
    if "checkpointing" in parts:
        print_checkpointing(settings, asked.checkpointed.split(","), asked.rounds)


def print_measured(settings: dict[str, Any]) -> None:
    """Measures in this process, which may be one of several, and prints what it found."""
    from experiments.core.processes import joined_processes

    with joined_processes() if "WORLD_SIZE" in os.environ else nullcontext():
        found = measure(settings)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
