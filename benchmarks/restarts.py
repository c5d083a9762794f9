"""Kills processes of torchrun, and compares what torchrun's restarts make with a run that nobody killed.

    python benchmarks/restarts.py [--rounds 3] [--seed 0] [--archs dcgan,r3gan]

In each round, in float64: one of two processes is killed at a random moment after the first checkpoint, and
torchrun starts them again; without restarts, how long the other one takes to end, and with which line; and a
run that is stopped on 2 processes, goes on in 1, is stopped again and ends on 4. Printed is the largest
difference of any number in the last checkpoint to that of one process, relative to its tensor's largest or 1.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

RUN = "--data shapes --image-size 16 --width 4 --batch-size 8 --precision fp64 --track local --keep 2"
LENGTH = "--steps 240 --checkpoint-kimg 0.1"


def perform_command() -> None:
    """Performs a command as one of torchrun's processes."""
    import torch

    import cli
    from experiments.data import shapes

    shapes.LENGTH = 640  # drawing more takes longer than the run
    torch.set_num_threads(1)
    cli.main(sys.argv[2:])


def start(words: str, processes: int = 1, restarts: int = 0) -> "subprocess.Popen[str]":
    """Starts a command under torchrun."""
    head = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, "-m", *head, "--max-restarts", str(restarts), __file__, "--perform"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *words.split()], cwd=ROOT, env=environment, text=True, **pipes)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Waits for torchrun: its exit status, and what was printed as errors."""
    _, err = process.communicate(timeout=600)
    return process.returncode, err


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The processes that torchrun has started."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(each) for each in listed if "--perform" in Path(f"/proc/{each}/cmdline").read_text()]


def await_checkpoint(folder: Path, process: "subprocess.Popen[str]") -> None:
    """Waits for one more checkpoint, and then for a random moment."""
    before = set((folder / "checkpoints").glob("*.pt"))
    while not set((folder / "checkpoints").glob("*.pt")) - before:
        if process.poll() is not None:
            raise SystemExit(f"it ended too early:\n{finish(process)[1]}")
        time.sleep(0.02)
    time.sleep(random.uniform(0, 0.5))


def difference(a: Path, b: Path) -> float:
    """The largest difference of the last checkpoints of two runs."""
    from benchmarks.processes import largest_difference, tensors_of
    from experiments.runs.checkpoint import load_checkpoint

    last = [max((folder / "checkpoints").glob("*.pt")) for folder in (a, b)]
    if last[0].name != last[1].name:
        return float("inf")
    states = [load_checkpoint(file) for file in last]
    kept = [{name: state[name] for name in ("game", "ema")} for state in states]
    return largest_difference(*(dict(tensors_of(each)) for each in kept))


def restart(words: str, folder: Path, alone: Path) -> None:
    """Kills one of two processes; torchrun starts them again."""
    process = start(f"{words} --out {folder}", 2, restarts=1)
    await_checkpoint(folder, process)
    os.kill(random.choice(workers_of(process)), signal.SIGKILL)
    status, _ = finish(process)
    print(f"  killed and restarted: status {status}, difference {difference(folder, alone):.1e}", flush=True)


def lose(words: str, folder: Path) -> None:
    """Kills one of two processes, which torchrun doesn't start again."""
    process = start(f"{words} --out {folder}", 2)
    await_checkpoint(folder, process)
    began = time.monotonic()
    os.kill(random.choice(workers_of(process)), signal.SIGKILL)
    status, err = finish(process)
    lines = [line for line in err.splitlines() if line.startswith("gans:")]
    print(f"  killed: status {status} after {time.monotonic() - began:.1f} s; {'; '.join(lines)}", flush=True)


def change_number(words: str, folder: Path, alone: Path) -> None:
    """Stops a run on 2 processes, then on 1, and lets it end on 4."""
    process = start(f"{words} --out {folder}", 2)
    for count in (1, 4):
        await_checkpoint(folder, process)
        os.kill(workers_of(process)[-1], signal.SIGTERM)
        finish(process)
        process = start(f"run --resume {folder}", count)
    status, _ = finish(process)
    print(f"  2 → 1 → 4 processes: status {status}, difference {difference(folder, alone):.1e}", flush=True)


def main() -> None:
    """Trains, kills, compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--archs", default="dcgan,r3gan")
    asked = parser.parse_args()
    random.seed(asked.seed)
    for arch in asked.archs.split(","):
        print(arch, flush=True)
        words = f"run --arch {arch} {RUN} {LENGTH}"
        with tempfile.TemporaryDirectory() as place:
            alone = Path(place, "alone")
            status, err = finish(start(f"{words} --out {alone}"))
            if status:
                raise SystemExit(err)
            for number in range(asked.rounds):
                restart(words, Path(place, f"restarted-{number}"), alone)
                lose(words, Path(place, f"lost-{number}"))
                change_number(words, Path(place, f"moved-{number}"), alone)


if __name__ == "__main__":
    perform_command() if sys.argv[1:2] == ["--perform"] else main()
