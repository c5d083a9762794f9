"""Kills real processes at random moments, resumes them, and compares with the runs that nobody killed.

    OMP_NUM_THREADS=1 python benchmarks/kills.py [--kills 100] [--seed 0] [--case mlp]

A third of the kills fall at a random time, a third before a random file operation of the process (a file
is opened to write, renamed or removed, a folder made), and a third in the middle of a random piece of a
checkpoint, in the thread that writes it while training goes on. Then the same command is given again. All
files must be those of the run that was never killed, bit by bit but for clocks, and no more: neither
in its folder nor in the cache.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CONTEXT = multiprocessing.get_context("forkserver")
ROOMS = (
    "cli",
    "experiments.training.run",
    "experiments.evaluation.publish",
    "experiments.sweeps.engines",
    "torch._dynamo",
    *(f"gans.{arch}" for arch in ("mlp", "dcgan", "progan", "cyclegan", "stylegan2")),
)
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")
CLOCKS = ("seconds", "images_per_second", "waiting_for_data")
SMALL = "--width 4 --batch-size 8 --track local --image-size 16 --steps 40 --keep 2 --checkpoint-kimg 0.1"
POINTS = "--arch mlp --loss bce --data ring8 --width 8 --batch-size 16 --track local"
RUN = f"run {POINTS} --steps 120 --keep 2 --checkpoint-kimg 0.4 --sample-kimg 0.5"
CASES = {
    "mlp": f"{RUN} --evaluate-kimg 0.5 --evaluate-samples 200 --out run",
    "dcgan": f"run --arch dcgan --loss bce --data shapes --z-dim 8 {SMALL} --out run",
    "progan in a fade": "run --arch progan --data shapes --z-dim 8 --fade-kimg 0.64 --stable-kimg 0.001 "
    f"{SMALL} --out run",
    "cyclegan": f"run --arch cyclegan --data shapes-styles --augment flip {SMALL} --out run",
    "stylegan2 by classes": f"run --arch stylegan2 --data shapes --conditional --z-dim 8 {SMALL} --out run",
    "sweep": f"sweep {POINTS} --steps 60 --keep 2 --checkpoint-kimg 0.2 --seeds 2 --jobs 1 --out run",
    "evaluation": "evaluate run -n 60 --metrics fid,kid,precision-recall --set kid.subset_size=20 "
    "--extractor random-vgg",
}
TRAINED_BEFORE = {
    "evaluation": f"run --arch dcgan --loss bce --data shapes --z-dim 8 {SMALL} --steps 2 --out run"
}


class Start(NamedTuple):
    """A command in a folder: its words, and before what it is killed, if at all.

    Attributes:
        operation: number of the file operation before which it is killed; 0 for none.
        piece: number of the piece of a checkpoint or an export before which it is killed; 0 for none.
    """

    words: list[str]
    place: Path
    operation: int = 0
    piece: int = 0


class Run(NamedTuple):
    """What became of a command: its exit status, how many operations and pieces it got to, and its time."""

    status: int | None
    operations: int
    pieces: int
    seconds: float


def work(start: Start, operations: Any, pieces: Any) -> None:
    """Runs a command in this process, counting its operations on files in its folder, and pieces."""
    os.chdir(start.place)
    os.environ["GANS_CACHE"] = str(start.place / "cache")
    os.environ["GANS_CONFIG"] = str(start.place / "config")
    log = os.open(start.place.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import torch

    from experiments.data import shapes
    from experiments.data.core import drawn
    from experiments.runs.checkpoint import HashedFile

    shapes.LENGTH, drawn.LENGTH, drawn.HELD_OUT = 640, 640, 200  # drawing more takes longer than the run
    torch.set_num_threads(1)
    inside = str(start.place)

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in EVENTS or not isinstance(arguments[0], str | Path):
            return
        path = str(Path(arguments[0]).absolute())
        is_read = event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if is_read or not path.startswith(inside):
            return
        operations.value += 1
        if operations.value == start.operation:
            os.kill(os.getpid(), signal.SIGKILL)

    write = HashedFile.write

    def count_pieces(self: HashedFile, content: bytes | memoryview) -> int:
        pieces.value += 1
        if pieces.value == start.piece:
            self.file.write(memoryview(content)[: len(content) // 2])
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return write(self, content)

    HashedFile.write = count_pieces  # type: ignore[method-assign]
    sys.addaudithook(count)
    import cli

    cli.main(start.words)


def run(start: Start, seconds: float | None = None) -> Run:
    """Runs a command, killed after so many seconds."""
    operations, pieces = CONTEXT.Value("q", 0), CONTEXT.Value("q", 0)
    began = time.monotonic()
    process = CONTEXT.Process(target=work, args=(start, operations, pieces))
    process.start()
    process.join(seconds if seconds is not None else 300)
    if process.is_alive():
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    return Run(process.exitcode, operations.value, pieces.value, time.monotonic() - began)


def digests(folder: Path) -> dict[str, str]:
    """Hashes of all files in a folder, without what depends on the clock on the wall."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.is_file() and file.name != ".lock":
            found[name] = hashlib.sha256(repr(comparable(file)).encode()).hexdigest()
    return found


def comparable(file: Path) -> Any:
    """Content of a file in which equal runs agree."""
    import torch

    if file.suffix == ".pt":
        return list(without_clocks(torch.load(file, weights_only=True)))
    if file.name in ("scores.jsonl", "evaluation.jsonl"):
        return [list(without_clocks(json.loads(line))) for line in file.read_text().splitlines()]
    if file.name == "log.txt" or file.name.endswith(".pt.sha256"):  # progress, and hashes over clocks
        return ""
    return file.read_bytes()


def without_clocks(value: Any, name: str = "") -> Iterator[Any]:
    """Leaves of nested values, with their names, without those of clocks."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in CLOCKS and "second" not in str(key):
                yield from without_clocks(part, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from without_clocks(part, f"{name}/{index}")
    elif hasattr(value, "numpy"):
        yield name, value.numpy().tobytes()
    else:
        yield name, value


def difference(whole: dict[str, str], cut: dict[str, str]) -> tuple[list[str], list[str]]:
    """Files that differ or are missing, and files too many."""
    return [name for name in whole if cut.get(name) != whole[name]], sorted(cut.keys() - whole.keys())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument(
        "--keep", action="store_true", help="keep the folders of kills that left a difference"
    )
    flags = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    CONTEXT.set_forkserver_preload(list(ROOMS))
    moments = random.Random(flags.seed)
    cases = flags.case or list(CASES)
    share = {case: len(range(number, flags.kills, len(cases))) for number, case in enumerate(cases)}
    print(f"{'':22}{'kills':>6}{'bit-equal':>11}{'no file too many':>18}", flush=True)
    totals = [0, 0, 0]
    for case in cases:
        row = kill_case(case, share[case], moments, flags.keep)
        print(f"{case:22}{row[0]:6}{row[1]:11}{row[2]:18}", flush=True)
        totals = [a + b for a, b in zip(totals, row, strict=True)]
    print(f"{'all':22}{totals[0]:6}{totals[1]:11}{totals[2]:18}")
    sys.exit(min(totals[1:]) < totals[0])


def kill_case(case: str, kills: int, moments: random.Random, keep: bool) -> list[int]:
    """Kills and resumes a case; returns how many there were, were equal, and left no more files."""
    words = CASES[case].split()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        begin(case, home / "whole")
        uncut = run(Start(words, home / "whole"))
        assert uncut.status in (0, None), (home / "whole.log").read_text()
        whole = digests(home / "whole")
        begin(case, home / "again")
        seconds = run(Start(words, home / "again")).seconds
        assert difference(whole, digests(home / "again")) == ([], []), f"{case}: equal runs are not equal"
        row = [0, 0, 0]
        for number in range(kills):
            place = home / f"cut-{number}"
            status, moment = 0, ""
            while status != -signal.SIGKILL:  # a run may end before its moment comes
                shutil.rmtree(place, ignore_errors=True)
                begin(case, place)
                if number % 3 == 1 or (number % 3 == 2 and not uncut.pieces):
                    at = moments.randint(1, uncut.operations)
                    moment = f"operation {at} of {uncut.operations}"
                    status = run(Start(words, place, operation=at)).status
                elif number % 3 == 2:
                    at = moments.randint(1, uncut.pieces)
                    moment = f"piece {at} of {uncut.pieces}"
                    status = run(Start(words, place, piece=at)).status
                else:
                    moment = f"{(at_seconds := moments.uniform(0, seconds)):.2f} of {seconds:.2f} s"
                    status = run(Start(words, place), at_seconds).status
            again = run(Start(words, place)).status
            differing, too_many = difference(whole, digests(place))
            if again not in (0, None) or differing or too_many:
                print(f"  {case}, {moment}: {again=} {differing=} {too_many=}", flush=True)
                if again not in (0, None):
                    print("  " + (place.with_suffix(".log")).read_text()[-300:], flush=True)
                if keep:
                    shutil.copytree(place, Path(tempfile.mkdtemp(prefix="kill-")) / "place")
            good = [1, not differing and again in (0, None), not too_many]
            row = [a + b for a, b in zip(row, good, strict=True)]
            shutil.rmtree(place)
        return row


def begin(case: str, place: Path) -> None:
    """Makes the folder of a case, with what it starts from."""
    place.mkdir()
    if case in TRAINED_BEFORE:
        assert run(Start(TRAINED_BEFORE[case].split(), place)).status in (0, None)


if __name__ == "__main__":
    main()
