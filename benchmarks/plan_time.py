"""Time that `gans plan` foretells for a run, beside the time that the whole run then takes.

    python benchmarks/plan_time.py [--cases dcgan] [--rounds 3]

In each round a case is planned, trained to its end and planned again, each in a process of its own, in a
folder that is deleted afterwards. Both times begin once PyTorch is imported, and neither has evaluations.
Printed are medians over the rounds, and the ratio of plan and run round by round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

CASES: dict[str, dict[str, Any]] = {
    "mlp on ring8": {"arch": "mlp", "loss": "wgan-gp", "data": "ring8", "kimg": 100.0},
    "dcgan with wgan-gp, default width": {"arch": "dcgan", "loss": "wgan-gp", "kimg": 10.0},
    "dcgan with bce, width 64, batch 64": {
        **{"arch": "dcgan", "loss": "bce", "width": 64, "batch_size": 64, "kimg": 6.4}
    },
    "stylegan2, preset laptop": {"arch": "stylegan2", "preset": "laptop", "kimg": 2.0},
    "progan, growing": {"arch": "progan", "preset": "laptop", "kimg": 2.0},
}


def measure(kind: str, settings: dict[str, Any]) -> float:
    """Plans or trains a run in this process; returns the seconds that are foretold, or that it took."""
    import torch

    from experiments.config.resolve import resolve
    from experiments.runs.folder import RunFolder
    from experiments.training.plan.timing import time_run
    from experiments.training.run import run

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    spec = resolve({"device": "cpu", "track": ("local",), **settings})
    if kind == "plan":
        return time_run(spec).total
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run(spec, RunFolder(Path(folder) / "run"))
        return time.perf_counter() - began


def in_own_process(kind: str, settings: dict[str, Any], threads: int) -> float:
    """Seconds of a plan or a run that a process of its own measures."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--measure", json.dumps([kind, settings])]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", default="", help="those with this word in their name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(measure(*json.loads(asked.measure)))
        return
    print("| run on a CPU | plan, s | run, s | plan / run | rounds |\n|---|---|---|---|---|")
    for name in (each for each in CASES if asked.cases in each):
        plans, runs = list[float](), list[float]()
        for _ in range(asked.rounds):
            before, took, after = (
                in_own_process(kind, CASES[name], asked.threads) for kind in ("plan", "run", "plan")
            )
            plans.append(mean((before, after)))
            runs.append(took)
        ratios = [plan / took for plan, took in zip(plans, runs, strict=True)]
        rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        row = f"| {name} | {median(plans):.1f} | {median(runs):.1f} | {median(ratios):.2f} | {rounds} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
