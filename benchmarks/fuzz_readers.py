"""Fuzzes every reader of files with Hypothesis, and prints what was tried and found.

    OMP_NUM_THREADS=1 python benchmarks/fuzz_readers.py [--minutes 30] [--seed 0] [--reader PART] [--keep DIR]

Each input is a whole file, damaged by its bytes or by its meaning (benchmarks/mutations.py), and is read as
the commands read it (benchmarks/file_readers.py). A fault is an error that is not one clear line, a read of
more than 5 s, more than 500 MB above what the process had before, or a file changed outside of the folder.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MOST_SECONDS, MOST_MEMORY = 5.0, 500e6
CHILD_SECONDS = 60.0  # after which a reader gets a fresh process
ROOMS = (
    "cli",
    "experiments.training.run",
    "experiments.evaluation.publish",
    "benchmarks.file_readers",
    "torch._dynamo",
)
CONTEXT = multiprocessing.get_context("forkserver")


class TimeIsUp(KeyboardInterrupt):
    """Signal that ends a test of Hypothesis, which takes errors for failures and tries them again."""


def peak_memory() -> float:
    """Largest memory of this process since `forget_peak`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def forget_peak() -> None:
    """Makes the present memory the largest one."""
    Path("/proc/self/clear_refs").write_text("5")


def contents(folder: Path) -> str:
    """A hash of all files in a folder."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        found.update(repr((str(file), file.is_file() and file.read_bytes())).encode())
    return found.hexdigest()


def fuzz(name: str, seed: int, seconds: float, home: str, report: Any) -> None:
    """Reads mutated files for some seconds, and reports each before and after."""
    import torch
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    from benchmarks.file_readers import readers
    from benchmarks.mutations import mutated
    from experiments.data import shapes
    from experiments.data.core import drawn

    shapes.LENGTH, drawn.LENGTH, drawn.HELD_OUT = 64, 64, 64
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    reader, place = readers()[name], Path(home)
    for folder in ("whole", "outside", "config", "cache"):
        (place / folder).mkdir()
    os.environ |= {"GANS_CACHE": str(place / "cache"), "GANS_CONFIG": str(place / "config")}
    (place / "outside/victim").write_text("precious")
    os.chdir(place / "whole")
    reader.make()
    whole, outside, end = (
        Path(reader.file).read_bytes(),
        contents(place / "outside"),
        time.monotonic() + seconds,
    )
    for how in range(len(reader.reads)):  # what is imported once is not the file's
        os.chdir(place)
        shutil.copytree("whole", "work")
        os.chdir("work")
        reader.read(how)
        os.chdir(place)
        shutil.rmtree("work")

    @seeded(seed)
    @settings(
        max_examples=100_000,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def try_one(data: Any) -> None:
        if time.monotonic() > end:
            raise TimeIsUp
        content, how = (
            data.draw(mutated(whole, reader.kind)),
            data.draw(st.integers(0, len(reader.reads) - 1)),
        )
        os.chdir(place)
        shutil.rmtree("work", ignore_errors=True)
        shutil.copytree("whole", "work")
        os.chdir("work")
        reader.write(content)
        (place / "input").write_bytes(content)
        forget_peak()
        before, began, fault = peak_memory(), time.monotonic(), ""
        report.send(("begin", how))
        try:
            reader.read(how)
        except Exception as error:
            fault = "".join(traceback.format_exception_only(error)).strip()[:2000]
            if "FaultError" not in fault:
                fault = traceback.format_exc()[-1500:]
        taken, memory = time.monotonic() - began, peak_memory() - before
        if not fault and taken > MOST_SECONDS:
            fault = f"took {taken:.1f} s"
        if not fault and memory > MOST_MEMORY:
            fault = f"took {memory / 1e6:.0f} MB"
        if not fault and contents(place / "outside") != outside:
            fault = "changed a file outside of the folder"
        report.send(("end", how, taken, memory, fault))

    try:
        try_one()
    except BaseException as error:  # Hypothesis gives groups of them
        if not isinstance(error, TimeIsUp):
            report.send(("stopped", repr(error)[:500]))
    report.send(("done",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--reader", action="append", help="part of the name of readers to fuzz; all by default"
    )
    parser.add_argument("--keep", type=Path, help="folder for the inputs of faults")
    flags = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    CONTEXT.set_forkserver_preload(list(ROOMS))
    from benchmarks.file_readers import readers

    names = [name for name in readers() if not flags.reader or any(part in name for part in flags.reader)]
    each = flags.minutes * 60 / len(names)
    print(f"{'':28}{'inputs':>8}{'faults':>8}{'slowest':>10}{'memory':>10}", flush=True)
    tried = faults = 0
    worst_seconds = worst_memory = 0.0
    for number, name in enumerate(names):
        row = fuzz_reader(name, flags.seed + 1000 * number, each, flags.keep)
        print(f"{name:28}{row[0]:8,}{row[1]:8}{row[2]:8.2f} s{row[3] / 1e6:7.0f} MB", flush=True)
        tried, faults = tried + int(row[0]), faults + int(row[1])
        worst_seconds, worst_memory = max(worst_seconds, row[2]), max(worst_memory, row[3])
    print(f"{'all':28}{tried:8,}{faults:8}{worst_seconds:8.2f} s{worst_memory / 1e6:7.0f} MB")
    sys.exit(faults > 0)


def fuzz_reader(name: str, seed: int, seconds: float, keep: Path | None) -> tuple[int, int, float, float]:
    """Fuzzes a reader in child processes; returns inputs, faults, the longest time and the largest memory."""
    inputs, slowest, largest, found = 0, 0.0, 0.0, Counter[str]()
    end, total = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        with tempfile.TemporaryDirectory() as home:
            ours, theirs = CONTEXT.Pipe(duplex=False)
            arguments = (name, seed + total, min(left, CHILD_SECONDS), home, theirs)
            process = CONTEXT.Process(target=fuzz, args=arguments)
            process.start()
            theirs.close()
            began, how, total = None, 0, total + 1
            while True:
                fault = ""
                try:
                    waits = 120.0 if began is None else MOST_SECONDS + 1
                    if not ours.poll(waits):
                        fault = f"hangs for more than {MOST_SECONDS:g} s" if began else "hangs between inputs"
                        raise EOFError
                    message = ours.recv()
                except EOFError:
                    fault = fault or f"ended the process ({process.exitcode})"
                    process.kill()
                    process.join()
                    message = ("end", how, 0.0, 0.0, fault)
                if message[0] == "begin":
                    began, how = time.monotonic(), message[1]
                elif message[0] == "end":
                    began, inputs = None, inputs + 1
                    slowest, largest = max(slowest, message[2]), max(largest, message[3])
                    if message[4]:
                        found[message[4][-160:]] += 1
                        if found[message[4][-160:]] == 1 and len(found) <= 20:
                            print(f"  {name}, read {message[1]}: {message[4]}", flush=True)
                            if keep is not None and (Path(home) / "input").exists():
                                keep.mkdir(parents=True, exist_ok=True)
                                shutil.copy(
                                    Path(home) / "input", keep / f"{name.replace(' ', '-')}-{len(found)}"
                                )
                elif message[0] == "stopped":
                    print(f"  {name}: {message[1]}", flush=True)
                if message[0] == "done" or fault:
                    break
            process.join(5)
            process.kill()
    return inputs, sum(found.values()), slowest, largest


if __name__ == "__main__":
    random.seed(0)
    main()
