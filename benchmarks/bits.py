"""Hashes of the files that short runs write, to compare two versions of the code bit by bit.

The runs cover every architecture, every loss, growing, conditional, points, pairs, attributes, and one
that is killed and resumed.

    python benchmarks/bits.py                       prints a line `sha256  name` for each run
    python benchmarks/bits.py --against FILE        compares with the lines of FILE; exit status 1 where one
    differs

A change that moves code and no mathematics leaves every line as it was. Bits depend on the processor
and on PyTorch: compare on one machine, in one environment.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = {
    "points": "--arch mlp --loss bce --data ring8 --steps 60",
    "points-dragan": "--arch mlp --loss dragan --data grid25 --steps 40 --critic-ema-kimg 2",
    "vanilla": "--arch mlp --loss bce-saturating --data shapes --image-size 16 --width 32 --steps 30 "
    "--label-smoothing 0.9 --label-flip 0.05 --instance-noise 0.1 --lr-schedule linear --lr-warmup-kimg 0.2",
    "killed": "--arch dcgan --loss wgan-gp --data shapes --image-size 16 --width 8 --steps 60 "
    "--checkpoint-kimg 0.5 --augment flip,crop,jitter",
    "conditional": "--arch dcgan --loss bce --conditional --data shapes --image-size 16 --width 8 --steps 30",
    "clipped": "--arch dcgan --loss wgan --data shapes --image-size 16 --width 8 --steps 12 --weight-decay "
    "0.01",
    "squares": "--arch dcgan --loss lsgan --data shapes --image-size 16 --width 8 --steps 30 --optimizer sgd "
    "--lr-generator 0.01 --ttur 2 --two-sided-label-smoothing 0.9",
    "residual": "--arch resnet --loss hinge --data shapes --image-size 16 --width 8 --steps 12 --conditional",
    "residual-norm": "--arch resnet --loss wgan-lp --critic-norm layer --critic-dropout 0.2 --data shapes "
    "--image-size 16 --width 8 --steps 8 --drift 0.001",
    "growing": "--arch progan --loss wgan-gp --data shapes --image-size 16 --width 4 --z-dim 8 --steps 60 "
    "--stage-batch-sizes 4:16,8:8 --batch-size 4",
    "growing-styles": "--arch stylegan --loss r1 --conditional --data shapes --image-size 16 --width 4 "
    "--z-dim 8 "
    "--batch-size 8 --steps 40 --minibatch-statistic discrimination",
    "styles": "--arch stylegan2 --loss r1 --penalty-every 4 --data shapes --image-size 16 --width 4 --z-dim "
    "8 "
    "--batch-size 8 --steps 30",
    "r3gan": "--arch r3gan --loss r3gan --data shapes --image-size 16 --width 8 --z-dim 8 --batch-size 8 "
    "--steps 20 "
    "--penalty-anneal 0.1",
    "relativistic": "--arch r3gan --loss relativistic --data shapes --image-size 16 --width 8 --z-dim 8 "
    "--penalty real --penalty-norm zero --penalty-every 2 --batch-size 8 --steps 20 --lr-schedule cosine",
    "pairs": "--arch pix2pix --loss bce --data shapes-paired --image-size 16 --width 4 --batch-size 4 "
    "--steps 20 "
    "--augment flip,crop",
    "domains": "--arch cyclegan --loss lsgan --data shapes-styles --image-size 16 --width 4 --batch-size 2 "
    "--steps 40 --n-critic 2",
    "attributes": "--arch stargan --loss wgan-gp --data shapes-attributes --image-size 16 --width 4 "
    "--batch-size 4 "
    "--steps 15 --n-critic 2 --term-weights reconstruction=20",
    "swapped": "--arch swap --loss lsgan --data shapes-styles --image-size 16 --width 4 --batch-size 4 "
    "--steps 20",
}
FILES = ("generator.safetensors", "critic.safetensors", "samples/*.png")
TIMES = ("seconds", "images_per_second", "waiting_for_data")


def main() -> None:
    """Prints a line for each file that the runs write, or compares the lines with those of a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--gans", default=str(Path(sys.executable).with_name("gans")), help="the command to run"
    )
    parser.add_argument("--against", type=Path, help="a file of lines to compare with")
    arguments = parser.parse_args()
    expected = set(arguments.against.read_text().splitlines()) if arguments.against else set()
    found: list[str] = []
    printed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, flags in RUNS.items():
            out = Path(folder) / name
            run = [
                arguments.gans,
                "run",
                *flags.split(),
                "--preset",
                "laptop",
                "--device",
                "cpu",
                "--track",
                "",
            ]
            train(run, out, is_killed=name == "killed")
            for file in sorted(file for pattern in FILES for file in out.glob(pattern)):
                found.append(f"{digest(file.read_bytes())}  {name}/{file.relative_to(out)}")
            found.append(f"{digest(scores_of(out))}  {name}/scores")
            print("\n".join(found[printed:]), flush=True)
            printed = len(found)
    if arguments.against:
        missing = sorted(expected - set(found), key=lambda line: line.partition("  ")[2])
        print("\n".join(f"differs: {line.partition('  ')[2]}" for line in missing) or "all equal")
        sys.exit(bool(missing))


def digest(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def scores_of(run: Path) -> bytes:
    """Lines of scores of a run, without the time that they took."""
    lines = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    return json.dumps([{k: v for k, v in line.items() if k not in TIMES} for line in lines]).encode()


def train(run: list[str], out: Path, is_killed: bool) -> None:
    """Trains a run; with `is_killed` kills it at its first checkpoint and resumes it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    command = [*run, "--out", str(out)]
    if is_killed:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not list(out.glob("checkpoints/*.pt")):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (out / "generator.safetensors").exists(), "it was too quick to be killed"
    done = subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")


if __name__ == "__main__":
    main()
