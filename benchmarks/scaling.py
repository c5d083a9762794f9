"""How time, sent bytes and memory grow with processes and with micro-batches.

    python benchmarks/scaling.py [--arch dcgan] [--image-size 32] [--width 32] [--batch-size 64] [--rounds 5]

First two processes with one thread each against one process with two threads, in turn. Then processes of one
thread, and the passes of an update, are doubled: seconds of a step, bytes that a process sends in it, and the
largest memory of a process, with the exponent e of a power law fitted to each (a number grows as n^e).
"""

import argparse
import json
import math
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

WARM_UP, STEPS = 3, 10


def measure(settings: dict[str, Any]) -> dict[str, float]:
    """Measures steps of a run in this process, which may be one of several."""
    import torch
    import torch.distributed as dist

    from experiments.config.resolve import resolve
    from experiments.core.stop_signal import StopSignal
    from experiments.training.experiment import build
    from experiments.training.steps import train_steps

    sent, whole = [0.0], dist.all_reduce
    count = int(os.environ.get("WORLD_SIZE", 1))

    def all_reduce(tensor: Any, *more: Any, **named: Any) -> Any:
        sent[0] += tensor.numel() * tensor.element_size() * 2 * (count - 1) / count  # of a ring
        return whole(tensor, *more, **named)

    dist.all_reduce = all_reduce
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    experiment = build(resolve({"device": "cpu", "steps": WARM_UP + STEPS, **settings}))
    ends: list[float] = []

    def note(progress: Any, scores: Any) -> None:
        ends.append(time.perf_counter())
        if progress.step == WARM_UP:
            sent[0] = 0.0

    train_steps(experiment, 0, [note], StopSignal())
    seconds = median(b - a for a, b in zip(ends[WARM_UP - 1 :], ends[WARM_UP:], strict=False))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "bytes": sent[0] / STEPS, "memory": memory}


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


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--arch", default="dcgan")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--micro-arch", default="r3gan")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        from contextlib import nullcontext

        several = "WORLD_SIZE" in os.environ
        if several:
            from experiments.core.processes import joined_processes
        with joined_processes() if several else nullcontext():
            found = measure(json.loads(asked.measure))
        print(json.dumps(found), flush=True)
        return
    sizes = {"image_size": asked.image_size, "width": asked.width, "batch_size": asked.batch_size}
    of_run = {"arch": asked.arch, **sizes}
    ratios = []
    for _ in range(asked.rounds):
        two, one = run(of_run, 2, 1), run(of_run, 1, 2)
        ratios.append(one["seconds"] / two["seconds"])
    shown = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    print(
        f"{asked.arch}: images/s, 2 processes × 1 thread / 1 × 2: {median(ratios):.2f} ({shown})", flush=True
    )
    counts = [1, 2, 4]
    print_growth(f"{asked.arch}: processes of one thread", counts, [run(of_run, count) for count in counts])
    passes = [1, 2, 4, 8]
    of_passes = [
        run({**sizes, "arch": asked.micro_arch, "micro_batch_size": asked.batch_size // count})
        for count in passes
    ]
    print_growth(f"{asked.micro_arch}: passes of an update", passes, of_passes)


if __name__ == "__main__":
    main()
