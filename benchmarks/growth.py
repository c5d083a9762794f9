"""How time and memory grow with what is given: exponents of power laws, each with a ceiling.

    python benchmarks/growth.py [--parts size,batch,width,evaluated,lines,files] [--full]

size: image side, 16 to 64 (256 with --full): seconds of a training step of dcgan, and bytes of its tensors
batch, width: images in a batch, and channels at the image: the same
evaluated: images whose statistics `gans stats` computes: seconds and peak memory of the command
lines: lines of scores in a run, to 30,000 (100,000): the same of `gans doctor` and `gans compare`
files: image files in a folder, to 10,000 (100,000): the same of `gans run --dry-run`

A number grows as n^e. The exponent e is fitted to all points by least squares of the logarithms; that of the
last two points, which fixed costs flatten less, stands beside it. The status is 1 where a fitted exponent is
above its ceiling.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.scaling import exponent, run  # noqa: E402

TRAINED = {"arch": "dcgan", "loss": "bce", "image_size": 32, "width": 16, "batch_size": 16}
PICTURE = 8  # side of the pictures in a folder
MEGABYTE = 1e6


@dataclass(frozen=True)
class Growth:
    """Numbers measured while something grows.

    Attributes:
        title: what grows, and what is measured.
        counts: how much of it there is.
        seconds, memory: at each count; memory in bytes.
        ceilings: largest exponents of seconds and memory.
    """

    title: str
    counts: Sequence[int]
    seconds: Sequence[float]
    memory: Sequence[float]
    ceilings: tuple[float, float]

    @property
    def exponents(self) -> tuple[float, float]:
        """Fitted exponents of seconds and memory."""
        return exponent(self.counts, self.seconds), exponent(self.counts, self.memory)

    @property
    def holds(self) -> bool:
        """Whether both are below their ceilings."""
        return all(found <= most for found, most in zip(self.exponents, self.ceilings, strict=True))

    def print(self) -> None:
        """Prints the table."""
        print(f"\n| {self.title} | seconds | MB |\n|---|---|---|")
        for count, seconds, memory in zip(self.counts, self.seconds, self.memory, strict=True):
            print(f"| {count:,} | {seconds:.3g} | {memory / MEGABYTE:.3g} |")
        last = [exponent(self.counts[-2:], column[-2:]) for column in (self.seconds, self.memory)]
        shown = [
            f"{found:+.2f} (last two {end:+.2f}, at most {most:.1f}{'' if found <= most else ': MISSED'})"
            for found, end, most in zip(self.exponents, last, self.ceilings, strict=True)
        ]
        print(f"| exponent | {' | '.join(shown)} |", flush=True)


def training(name: str, counts: Sequence[int], ceiling: float) -> Growth:
    """Steps of training while one setting grows."""
    found = [run({**TRAINED, name: count}) for count in counts]
    title = f"dcgan: {name.replace('_', ' ')}, a step"
    return Growth(
        title, counts, [f["seconds"] for f in found], [f["memory"] for f in found], (ceiling, ceiling)
    )


def measure_command(*words: object) -> tuple[float, float]:
    """Seconds and peak memory in bytes of a command of ours. Ends this program where the command fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"gans {' '.join(map(str, words))}\n{errors.read().decode()}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - began, float(used.ru_maxrss * unit)


def commands(
    title: str,
    counts: Sequence[int],
    prepare: Callable[[int], Sequence[object]],
    ceilings: tuple[float, float],
) -> Growth:
    """Measures a command while what it is given grows; `prepare` makes that, and returns the words."""
    found = [measure_command(*prepare(count)) for count in counts]
    return Growth(title, counts, [each[0] for each in found], [each[1] for each in found], ceilings)


def evaluated(folder: Path, counts: Sequence[int]) -> Growth:
    """Statistics of more and more images."""

    def prepare(count: int) -> Sequence[object]:
        out = folder / f"{count}.npz"
        options = ("--extractor", "random-vgg", "--image-size", 32, "--device", "cpu")
        return ("stats", "shapes", "-n", count, "--out", out, *options)

    return commands("gans stats: images", counts, prepare, (1.2, 0.6))


def lines(folder: Path, counts: Sequence[int]) -> Iterator[Growth]:
    """Runs with more and more lines of scores, diagnosed and compared."""
    first = folder / "run"
    tiny = ("--arch", "mlp", "--data", "ring8", "--steps", 50, "--device", "cpu", "--preset", "laptop")
    measure_command("run", *tiny, "--out", first)
    measure_command("evaluate", first, "-n", 500)  # without which there is nothing to compare
    scores = (first / "scores.jsonl").read_text().splitlines()
    line = next(each for each in map(json.loads, scores) if "images_per_second" in each)

    def lengthen(count: int) -> None:
        with (first / "scores.jsonl").open("w") as file:
            for index in range(1, count + 1):
                shown = {**line, "step": 25 * index, "kimg": round(0.001 * index, 6), "seconds": 0.01 * index}
                file.write(json.dumps(shown) + "\n")

    for command in ("doctor", "compare"):

        def prepare(count: int, command: str = command) -> Sequence[object]:
            lengthen(count)
            return (command, first)

        yield commands(f"gans {command}: lines of scores", counts, prepare, (1.2, 0.7))


def files(folder: Path, counts: Sequence[int]) -> Growth:
    """Folders of more and more image files, which are links to a few hundred."""
    import numpy as np
    from PIL import Image

    some = folder / "some"
    some.mkdir()
    random = np.random.default_rng(0)
    for index in range(200):
        pixels = random.integers(256, size=(PICTURE, PICTURE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(some / f"{index}.png")

    def prepare(count: int) -> Sequence[object]:
        target = folder / f"files-{count}"
        target.mkdir()
        for index in range(count):
            os.link(some / f"{index % 200}.png", target / f"{index:06}.png")
        options = ("--image-size", PICTURE, "--arch", "dcgan", "--device", "cpu", "--preset", "laptop")
        return ("run", "--dry-run", "--data", f"folder:{target}", *options)

    return commands("gans run --dry-run: files in a folder", counts, prepare, (1.2, 0.6))


def measure_parts(parts: Sequence[str], is_full: bool) -> Iterator[Growth]:
    """Measures each part in turn."""
    if "size" in parts:
        yield training("image_size", [16, 32, 64, 128, 256] if is_full else [16, 32, 64], 2.3)
    if "batch" in parts:
        yield training("batch_size", [8, 16, 32, 64, 128] if is_full else [8, 16, 32], 1.1)
    if "width" in parts:
        yield training("width", [8, 16, 32, 64] if is_full else [8, 16, 32], 2.1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "evaluated" in parts:
            yield evaluated(folder, [250, 500, 1000, 2000, 4000] if is_full else [100, 200, 400])
        if "lines" in parts:
            yield from lines(folder, [1000, 10_000, 100_000] if is_full else [1000, 10_000, 30_000])
        if "files" in parts:
            yield files(folder, [100, 1000, 10_000, 100_000] if is_full else [100, 1000, 10_000])


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default="size,batch,width,evaluated,lines,files")
    parser.add_argument("--full", action="store_true", help="more and larger counts")
    asked = parser.parse_args()
    found: list[Any] = []
    for growth in measure_parts(asked.parts.split(","), asked.full):
        growth.print()
        found.append(growth.holds)
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
