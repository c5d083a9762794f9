"""Memory that `gans plan` estimates for a run on a CPU, beside what its process really takes.

    python benchmarks/memory.py [--cases dcgan] [--steps 20] [--threads 1]

Each case is trained in a process of its own, with its data, sample grids, checkpoints and export, in a folder
that is deleted afterwards. Measured is the growth of resident memory: its peak, without what the process had
before the experiment was built. Printed are both, in MiB, and their ratio.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

CASES: dict[str, dict[str, Any]] = {
    "mlp, ring8": {"arch": "mlp", "data": "ring8"},
    "dcgan": {"arch": "dcgan"},
    "dcgan wgan-gp, 64 px, width 64, batch 64": {
        **{"arch": "dcgan", "loss": "wgan-gp", "image_size": (64, 64), "width": 64, "batch_size": 64}
    },
    "resnet, width 64, batch 64": {"arch": "resnet", "width": 64, "batch_size": 64},
    "progan, 64 px, width 32, batch 32": {
        **{"arch": "progan", "image_size": (64, 64), "width": 32, "batch_size": 32}
    },
    "stylegan, 64 px": {"arch": "stylegan", "image_size": (64, 64)},
    "stylegan2, 64 px, width 32, batch 32": {
        **{"arch": "stylegan2", "image_size": (64, 64), "width": 32, "batch_size": 32}
    },
    "r3gan, 64 px, width 32, batch 32": {
        **{"arch": "r3gan", "image_size": (64, 64), "width": 32, "batch_size": 32}
    },
    "cyclegan": {"arch": "cyclegan"},
    "stargan, 64 px": {"arch": "stargan", "image_size": (64, 64)},
}


def resident(name: str) -> int:
    """Bytes of this process's memory, now (`VmRSS`) or at most (`VmHWM`)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def measure(settings: dict[str, Any]) -> dict[str, Any]:
    """Trains a run in this process; returns estimate and growth of memory in bytes."""
    import torch

    from experiments.config.resolve import resolve
    from experiments.runs.folder import RunFolder
    from experiments.training.plan.plan import PlanRequest, make_plan
    from experiments.training.run import run

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    spec = resolve({"device": "cpu", "track": ("local",), **settings})
    before = resident("VmHWM")
    with tempfile.TemporaryDirectory() as folder:
        run(spec, RunFolder(Path(folder) / "run"))
    grown = resident("VmHWM") - before
    estimated = make_plan(spec, PlanRequest(is_timed=False)).memory
    assert estimated is not None
    return {"measured": grown, "estimated": estimated.growth}


def run_case(settings: dict[str, Any], threads: int) -> dict[str, float]:
    """Measures a case in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--measure", json.dumps(settings)]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", default="", help="of the ten, those with this word in their name")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(json.loads(asked.measure))))
        return
    print("| run on a CPU | measured MiB | estimated MiB | estimated / measured |\n|---|---|---|---|")
    for name in (each for each in CASES if asked.cases in each):
        found = run_case({**CASES[name], "steps": asked.steps}, asked.threads)
        measured, estimated = (found[key] / 2**20 for key in ("measured", "estimated"))
        row = f"| {name} | {measured:,.0f} | {estimated:,.0f} | {estimated / measured:.2f} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
