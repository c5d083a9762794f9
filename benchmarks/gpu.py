"""What only a GPU can tell, as one table: speed, memory, equal bits, two GPUs, and the evaluation command.

    benchmarks/gpu.sh [--small] [--seconds 450]

speed        images/s of train_steps with everything that a step does (loader, seeds, EMA, scores), beside a
             bare loop: rounds of the same game on one batch that lies ready, and nothing else; peak memory
bits         whether a run, the same run again, and one that is stopped and resumed write the same generator
two GPUs     images/s of the run command in one process and in two of torchrun, where there are two GPUs
evaluation   seconds that the evaluate command takes

With --small everything is tiny and on the CPU, and two processes stand for two GPUs. What there is no time
for is left out, and said.
"""

import argparse
import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from experiments.config.resolve import resolve
from experiments.core.stop_signal import StopSignal
from experiments.data import shapes
from experiments.training.experiment import Experiment, build
from experiments.training.trainer import train_steps
from gans.core.clock import Clock
from gans.core.networks import Batch

ROOT = Path(__file__).resolve().parent.parent
PICTURES = 2048  # that the speed is measured on: they are drawn first, which takes time at 256 pixels
RUN_SECONDS = 60.0  # that one command may take


class Scale(NamedTuple):
    """Sizes of everything that is measured."""

    device: str
    batches: dict[int, int]  # image size → batch size
    seconds: float  # of each loop
    settings: dict[str, Any]
    run: list[str]
    steps: int
    samples: int


LARGE = Scale(
    *("cuda", {64: 64, 256: 16}, 6.0, {"preset": "paper"}),
    *(["--image-size", "32", "--batch-size", "64", "--preset", "laptop", "--width", "32"], 200, 10_000),
)
SMALL = Scale(
    *("cpu", {16: 4}, 0.2, {"preset": "laptop", "width": 4}),
    *(["--image-size", "16", "--batch-size", "8", "--preset", "laptop", "--width", "4"], 12, 64),
)
SPEED_ARCHITECTURES = ("dcgan", "stylegan2", "r3gan")
# Reflected borders, embeddings of labels, path lengths and image pools are where GPUs are not deterministic.
BIT_CASES = {
    "dcgan, classes": ["--arch", "dcgan", "--conditional"],
    "stylegan2, classes": ["--arch", "stylegan2", "--conditional"],
    "cyclegan": ["--arch", "cyclegan", "--set", "arch.blocks=2", "--set", "arch.strided_padding=reflect"],
}


class ReadyBatch:
    """A loader of one batch that lies on the device; the time goes on as if it were loaded."""

    def __init__(self, experiment: Experiment) -> None:
        self.schedule, self.seen = experiment.loader.batch_schedule, experiment.loader.seen
        self.batch = experiment.loader.next_batch()

    @property
    def clock(self) -> Clock:
        """The time before the next batch."""
        schedule = self.schedule
        return Clock(self.seen, schedule.batch_index(self.seen), schedule.progress(self.seen))

    def next_batch(self) -> Batch:
        """The batch."""
        self.seen += len(self.batch.samples)
        return self.batch


def synchronize() -> None:
    """Waits until a GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def images_per_second(step: Callable[[], int], seconds: float, warm_up: int = 5) -> float:
    """Images/s of a step, which returns how many it has shown, over at least some seconds."""
    for _ in range(warm_up):
        step()
    synchronize()
    began, images, count = time.perf_counter(), 0, 0
    while True:
        images, count = images + step(), count + 1
        if count % 16 == 0:  # a multiple of all intervals of lazy regularization
            synchronize()
            if time.perf_counter() - began > seconds:
                return images / (time.perf_counter() - began)


def measure_speed(arch: str, side: int, scale: Scale) -> list[str]:
    """The row of one architecture at one size: images/s of both loops, their ratio, and peak memory."""
    asked = {"arch": arch, "data": "shapes", "image_size": (side, side), "device": scale.device}
    experiment = build(resolve({**asked, "batch_size": scale.batches[side], **scale.settings}))
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    loader, done = experiment.loader, 0

    def laboratory() -> int:
        nonlocal done
        before, experiment.total_steps = loader.seen, done + 1
        train_steps(experiment, done, [], StopSignal())
        done += 1
        return loader.seen - before

    whole = images_per_second(laboratory, scale.seconds)
    peak = f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if torch.cuda.is_available() else "–"
    ready = ReadyBatch(experiment)

    def bare() -> int:
        before = ready.seen
        experiment.game.round(ready)
        return ready.seen - before

    alone = images_per_second(bare, scale.seconds)
    name = f"{arch}, {side} px, batch {scale.batches[side]}"
    return [
        "speed",
        name,
        f"{whole:.1f} images/s",
        f"bare {alone:.1f}; {whole / alone:.3f} of it; peak {peak}",
    ]


def start(arguments: list[str], processes: int = 1) -> subprocess.Popen[str]:
    """Starts the command, in several processes of torchrun where asked for."""
    head = [sys.executable, "-m", "cli"]
    if processes > 1:
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        head = [sys.executable, "-m", *torchrun, "-m", "cli"]
    return subprocess.Popen(
        [*head, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Waits for a command. Raises RuntimeError, with its last line, where it fails or takes too long."""
    try:
        output, _ = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise RuntimeError(f"not done in {RUN_SECONDS:.0f} s") from error
    if process.returncode:
        raise RuntimeError((output.strip().splitlines() or ["no output"])[-1])


def draw_pictures(folder: Path, count: int, side: int) -> None:
    """Draws pictures of noise in two colours: of two classes, which are two domains too."""
    random = torch.Generator().manual_seed(0)
    for number, name in enumerate(("trainA", "trainB")):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            image = torch.rand(3, side, side, generator=random) * 128
            image[number] += 127
            Image.fromarray(image.byte().permute(1, 2, 0).numpy()).save(folder / name / f"{index:04}.png")


def run_command(out: Path, flags: list[str], scale: Scale) -> list[str]:
    """Arguments of the run command."""
    fixed = ["--device", scale.device, "--track", "local", "--steps", str(scale.steps), "--seed", "1"]
    data = ["--data", f"folder:{out.parent / 'pictures'}"]
    return ["run", *scale.run, *data, *flags, *fixed, "--out", str(out)]


def content_hash(run: Path) -> str:
    """Hash of the generator that a run has written."""
    return hashlib.sha256((run / "generator.safetensors").read_bytes()).hexdigest()[:12]


def measure_bits(name: str, flags: list[str], scale: Scale, folder: Path) -> list[str]:
    """The row of one run: whether it has the same bits again, and when it was stopped and resumed."""
    flags = [*flags, "--checkpoint-kimg", str(scale.steps * 4 / 1000)]
    runs = [folder / f"{name}-{turn}" for turn in ("first", "again", "resumed")]
    for run in runs[:2]:
        finish(start(run_command(run, flags, scale)))
    process = start(run_command(runs[2], flags, scale))
    while process.poll() is None and not list((runs[2] / "checkpoints").glob("step-*.pt")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=RUN_SECONDS)
    was_stopped = not (runs[2] / "generator.safetensors").exists()
    finish(start(run_command(runs[2], flags, scale)))
    first, again, resumed = (content_hash(run) for run in runs)
    words = ["equal" if each == first else "DIFFERENT" for each in (again, resumed)]
    how = "resumed" if was_stopped else "resumed (it had ended before it could be stopped)"
    return ["bits", name, f"again: {words[0]}", f"{how}: {words[1]}"]


def speed_of_run(run: Path) -> float:
    """Images/s in the later half of a run's lines of scores."""
    lines = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    speeds = sorted(line["images_per_second"] for line in lines[len(lines) // 2 :])
    return float(speeds[len(speeds) // 2])


def measure_processes(scale: Scale, folder: Path) -> list[str]:
    """The row of one process beside two."""
    if scale.device == "cuda" and torch.cuda.device_count() < 2:
        return ["two GPUs", "dcgan", "–", "there is one GPU"]
    flags = ["--arch", "dcgan"]
    for count in (1, 2):
        finish(start(run_command(folder / f"processes-{count}", flags, scale), count))
    one, two = (speed_of_run(folder / f"processes-{count}") for count in (1, 2))
    return ["two GPUs", "dcgan", f"{two:.1f} images/s", f"one {one:.1f}; {two / one:.2f} times"]


def measure_evaluation(scale: Scale, folder: Path) -> list[str]:
    """The row of the evaluate command."""
    run = folder / "evaluated"
    finish(start(run_command(run, ["--arch", "dcgan"], scale)))
    count = str(scale.samples)
    flags = ["-n", count, "--metrics", "fid", "--extractor", "random-vgg", "--device", scale.device]
    began = time.perf_counter()
    finish(start(["evaluate", str(run), *flags]))
    seconds = time.perf_counter() - began
    return ["evaluation", f"dcgan, {count} samples, fid", f"{seconds:.1f} s", "with start and data"]


def measurements(scale: Scale, folder: Path) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """All rows: what they are of, and the function that measures them."""
    for side in scale.batches:
        for arch in SPEED_ARCHITECTURES:
            yield f"speed of {arch}", partial(measure_speed, arch, side, scale)
    draw_pictures(folder / "pictures", 256, 32)
    for name, flags in BIT_CASES.items():
        yield f"bits of {name}", partial(measure_bits, name, flags, scale, folder)
    yield "two GPUs", partial(measure_processes, scale, folder)
    yield "evaluation", partial(measure_evaluation, scale, folder)


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--small", action="store_true", help="tiny sizes on the CPU, to try the script")
    parser.add_argument("--seconds", type=float, default=450.0, help="after which nothing new begins")
    asked = parser.parse_args()
    scale = SMALL if asked.small else LARGE
    if not asked.small and not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU here; --small tries the script on the CPU")
    shapes.LENGTH = PICTURES if not asked.small else 64
    began = time.perf_counter()
    name = "CPU" if asked.small else torch.cuda.get_device_name()
    print(f"torch {torch.__version__}, {name}\n\n| what | of what | measured | beside |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for what, measure in measurements(scale, Path(folder)):
            row = [what, "–", "–", "left out: no time is left"]
            if time.perf_counter() - began < asked.seconds - RUN_SECONDS:
                try:
                    row = measure()
                except Exception as error:  # the other rows are worth as much
                    row = [what, "–", "failed", f"{type(error).__name__}: {error}".splitlines()[0]]
            print(f"| {' | '.join(row)} |", flush=True)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    print(f"\n{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
