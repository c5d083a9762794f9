"""All speed ratios that have a floor, in under ten minutes on two cores; fails where one is below its floor.

    python benchmarks/bench.py [--full] [--only NAME,…]

Runs the scripts below one after another, each in a process of its own, shows what they print, and then their
verdicts. A script whose package is not installed is named and passed over. With --full each has the rounds
and sizes that benchmarks/RESULTS.md is made of, which takes about two hours.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Part:
    """A script with its options.

    Attributes:
        words: the script and what it is told in both forms.
        short, full: further options of the short and of the long form; None where it has no such form.
        packages: modules that it needs beside ours.
    """

    words: str
    short: str | None
    full: str | None
    packages: Sequence[str] = ()


FIDELITY = ("torch_fidelity", "pytorch_fid")
ROWS = ("frechet", "frechet-500-500", "kid", "precision-recall", "inception-score", "inception-features")
PARTS = {
    "start": Part("start.py", "", ""),
    "bce": Part("peers.py --losses bce --sizes 32", "--rounds 6 --cycles 1", "--rounds 16 --cycles 5"),
    "bce-64": Part(
        "peers.py --losses bce --sizes 64",
        "--rounds 3 --cycles 1 --loops LynnHo,StudioGAN,hand-tuned",
        "--rounds 12 --cycles 3",
    ),
    "wgan-gp": Part(
        "peers.py --losses wgan-gp --sizes 32",
        "--rounds 4 --cycles 1 --loops LynnHo,PyTorch-GAN,StudioGAN,hand-tuned",
        "--rounds 12 --cycles 2",
    ),
    "wgan-gp-64": Part("peers.py --losses wgan-gp --sizes 64", None, "--rounds 8 --cycles 1"),
    "stylegan2": Part(
        "peers.py --losses stylegan2 --sizes 32 --cycles 1", "--rounds 2 --loops stylegan2-ada", "--rounds 8"
    ),
    "stylegan2-64": Part("peers.py --losses stylegan2 --sizes 64 --cycles 1", None, "--rounds 4"),
    "processes": Part("peers.py --processes --losses bce,wgan-gp --sizes 32", None, "--turns 4"),
    "laboratory": Part("overhead.py", "--rounds 3 --steps 5", "--rounds 12 --steps 20"),
    "evaluation": Part(
        "evaluation.py",
        f"--rounds 1 --against torch-fidelity --row {' --row '.join(ROWS)}",
        "--rounds 5",
        FIDELITY,
    ),
    "fid-command": Part("fid_command.py", "--rounds 0 --images 16 --row pytorch-fid", "--rounds 3", FIDELITY),
    "growth": Part("growth.py", "--parts size,lines", "--full"),
}


def run_part(part: Part, is_full: bool) -> tuple[str, float]:
    """Runs a part and shows what it prints; returns its verdict and seconds."""
    missing = [name for name in part.packages if find_spec(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}", 0.0
    options = (part.full if is_full else part.short) or ""
    script, *words = f"{part.words} {options}".split()
    print(f"\npython benchmarks/{' '.join([script, *words])}\n", flush=True)
    began = time.perf_counter()
    status = subprocess.run([sys.executable, str(HERE / script), *words], check=False).returncode
    return "ok" if status == 0 else f"FAILED ({status})", time.perf_counter() - began


def main() -> None:
    """Runs the parts and prints their verdicts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="the long form")
    parser.add_argument("--only", default="", help=f"of {', '.join(PARTS)}")
    asked = parser.parse_args()
    names = [name for name in asked.only.split(",") if name]
    if unknown := set(names) - set(PARTS):
        parser.error(f"--only {','.join(sorted(unknown))}: take of {', '.join(PARTS)}")
    wanted = {
        name: part
        for name, part in PARTS.items()
        if name in names or (not names and (asked.full or part.short is not None))
    }
    found = {name: run_part(part, asked.full) for name, part in wanted.items()}
    print("\n| part | verdict | seconds |\n|---|---|---|")
    for name, (verdict, seconds) in found.items():
        print(f"| {name} | {verdict} | {seconds:.0f} |")
    failed = [name for name, (verdict, _) in found.items() if verdict.startswith("FAILED")]
    total = sum(seconds for _, seconds in found.values())
    print(f"\n{total:.0f} s; below a floor: {', '.join(failed) or 'none'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
