"""Starts of runs on many small image files, read while training (--stream), and their waiting for data.

    OMP_NUM_THREADS=1 python benchmarks/small_files.py [--count 100000] [--steps 150] [--folder DIR]

Makes so many PNG files of 32 pixels, and a tar file of them with labels, and trains dcgan on each twice, with
an empty cache at first; beside them stands a folder of a hundredth of the files. "start" is the time from the
command to the first line of scores, of the first step; "waiting" is the share of the later steps in which
training had to wait for data (`waiting_for_data` in scores.jsonl); memory is the largest of the process.

Goals at 100,000 files: a second start under 20 s, waiting under 1 %, memory that grows by less than 3 KB a
file. The status is 1 where one is missed.
"""

import argparse
import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIDE, CLASSES = 32, 10
MOST_START_SECONDS, MOST_WAITING, MOST_BYTES_A_FILE = 20.0, 0.01, 3e3
OPTIONS = ("--arch", "dcgan", "--preset", "laptop", "--device", "cpu", "--stream", "--image-size", SIDE)


@dataclass(frozen=True)
class Measured:
    """A run: seconds to its first step, share of waiting in later ones, peak memory in bytes."""

    start_seconds: float
    waiting: float
    memory: float


def pictures(count: int) -> Iterator[tuple[str, str, bytes]]:
    """Makes pictures of noise; yields the class, the name and the content of each file."""
    random = np.random.default_rng(0)
    for number in range(count):
        file = io.BytesIO()
        pixels = random.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file, "png", compress_level=1)
        yield str(number * CLASSES // count), f"{number:07}", file.getvalue()


def make(folder: Path, count: int) -> None:
    """Makes a folder of pictures, and a tar file of them, unless they are there."""
    if (folder / f"{count}.tar").exists():
        return
    with tarfile.open(folder / f"{count}.tar.partial", "w") as tar:
        for label, name, content in pictures(count):
            (folder / f"{count}" / label).mkdir(parents=True, exist_ok=True)
            (folder / f"{count}" / label / f"{name}.png").write_bytes(content)
            for path, part in ((f"{name}.png", content), (f"{name}.cls", label.encode())):
                info = tarfile.TarInfo(path)
                info.size = len(part)
                tar.addfile(info, io.BytesIO(part))
    (folder / f"{count}.tar.partial").rename(folder / f"{count}.tar")


def measure(spec: str, out: Path, cache: Path, steps: int) -> Measured:
    """Measures a run. Ends this program where it fails."""
    words = ["run", "--data", spec, *map(str, OPTIONS), "--steps", str(steps), "--out", str(out)]
    scores, began, started = out / "scores.jsonl", time.perf_counter(), 0.0
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), *words],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "GANS_CACHE": str(cache)},
        )
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            if not started and scores.exists() and scores.stat().st_size:
                started = time.perf_counter() - began
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"gans {' '.join(words)}\n{errors.read().decode()}")
    lines = [each for each in map(json.loads, scores.read_text().splitlines()) if "images_per_second" in each]
    seconds = [later["seconds"] - line["seconds"] for line, later in itertools.pairwise(lines)]
    waited = [line["waiting_for_data"] for line in lines[1:]]
    waiting = sum(share * each for share, each in zip(waited, seconds, strict=True)) / sum(seconds)
    unit = 1 if sys.platform == "darwin" else 1024
    return Measured(started, waiting, float(ended[2].ru_maxrss * unit))


def report(folder: Path, count: int, steps: int) -> bool:
    """Measures all, and prints a table; returns whether the goals are met."""
    few = max(count // 100, CLASSES)
    make(folder, few)
    make(folder, count)
    specs = {
        f"folder of {few:,}": f"folder:{folder}/{few}",
        f"folder of {count:,}": f"folder:{folder}/{count}",
        f"tar file of {count:,}": f"wds:{folder}/{count}.tar",
    }
    is_met, memory_of_few = True, 0.0
    print("| | start: first | second | waiting: first | second | MB |\n|---|---|---|---|---|---|")
    for number, (name, spec) in enumerate(specs.items()):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            cache = Path(place, "cache")
            first, second = (measure(spec, Path(place, each), cache, steps) for each in ("first", "second"))
        memory = max(first.memory, second.memory)
        print(
            f"| {name} | {first.start_seconds:.1f} s | {second.start_seconds:.1f} s | {first.waiting:.2%} | "
            f"{second.waiting:.2%} | {memory / 1e6:.0f} |",
            flush=True,
        )
        memory_of_few = memory if number == 0 else memory_of_few
        is_met &= second.start_seconds < MOST_START_SECONDS
        is_met &= max(first.waiting, second.waiting) < MOST_WAITING
        is_met &= memory - memory_of_few < MOST_BYTES_A_FILE * count
    return is_met


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument(
        "--folder", type=Path, help="where the files are made and kept; else they are removed"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        is_met = report(folder, asked.count, asked.steps)
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
