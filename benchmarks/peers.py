"""Speed of training against the loops of other projects, side by side on the same networks and data.

    python benchmarks/peers.py [--losses bce,wgan-gp,stylegan2] [--sizes 32,64] [--loops NAME,…] [--rounds 8]
    python benchmarks/peers.py --processes [--turns 4]

Every loop (benchmarks/peer_loops.py, peer_stylegan2.py, hand_tuned.py; torchgan from its package, where that
is installed) trains the same pair, of width 64 with 128 latents and batches of 64 (stylegan2: width 32 and
batches of 16), on batches that are ready in memory. The laboratory is train_steps with everything that
`gans run` does, its own loader included. A cycle is one update of the generator and `n_critic` of the critic;
of stylegan2, 16 rounds with their regularization.

First the losses and gradients of each loop are compared with the laboratory's, on equal weights, batches and
random numbers, in float64 and of width 16: "difference" is the largest, relative. Then all take turns in
blocks of cycles in one process. Printed are medians of images/s, and the median and quartiles of their ratio
block by block.

With --cpu-time the processor's seconds count instead of the clock's, those of all threads: for one thread on
a machine that does something else too.

With --processes each loop runs in a process of its own, and is compared with the images/s that `gans run` has
written; both take turns.

Floors and goals were set on another machine, and no loop passes what convolutions allow: where the
hand-tuned loop, in the same call, is itself not as far above another, 98 % of its ratio is the floor. The
status is 1 where a ratio is below its floor by more than 3 %, which is noise between medians of blocks.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from benchmarks import peer_torchgan  # noqa: E402
from benchmarks.goals import Goal  # noqa: E402
from benchmarks.hand_tuned import HandTuned, HandTunedByPhases, HandTunedInBfloat16  # noqa: E402
from benchmarks.overhead import READY, Block, laboratory, measure  # noqa: E402
from benchmarks.peer_check import RestingPlayerError, largest_difference  # noqa: E402
from benchmarks.peer_loops import PROJECTS  # noqa: E402
from benchmarks.peer_pair import Loop  # noqa: E402
from benchmarks.peer_stylegan2 import PUBLISHED  # noqa: E402
from experiments.core.device import multiplies_in_bfloat16  # noqa: E402
from experiments.data import shapes  # noqa: E402

LOOPS: Sequence[type[Loop]] = (
    *PROJECTS,
    *peer_torchgan.LOOPS,
    HandTuned,
    HandTunedByPhases,
    *[HandTunedInBfloat16] * multiplies_in_bfloat16(),
    *PUBLISHED,
)
EXACT = 1e-9  # largest difference in float64
HERE, IN_BFLOAT16 = "laboratory", "laboratory, bf16"
PAIR = {"arch": "dcgan", "data": "shapes", "width": 64, "batch_size": 64, "z_dim": 128, "device": "cpu"}
STYLES = {"arch": "stylegan2", "data": "shapes", "width": 32, "batch_size": 16, "z_dim": 128, "device": "cpu"}


USUAL = {"LynnHo", "mimicry", "StudioGAN"}
GOALS = {
    **{("bce", name): Goal(1.15, 1.3) for name in USUAL},
    **{("wgan-gp", name): Goal(1.3, 1.45) for name in (*USUAL, "PyTorch-GAN")},
    **{("bce", name): Goal(1.05, 1.2) for name in ("PyTorch's example", "PyTorch-GAN")},  # of shared fakes
    ("wgan-gp", "torchgan"): Goal(1.8, 2.2),
    ("stylegan2", "stylegan2"): Goal(1.1, 1.3),
    ("stylegan2", "stylegan2-ada"): Goal(1.1, 1.3),
    **{(loss, "hand-tuned"): Goal(0.98, 1.0) for loss in ("bce", "wgan-gp")},
}
GOAL_OF_BFLOAT16 = Goal(1.6, 2.1)  # against loops in float32
BEST = HandTuned.name  # the loop that tells what the machine allows
ALIKE = 0.98  # share of its speed that the laboratory has at least


@dataclass(frozen=True)
class Case:
    """A loss and an image size, at which all loops that have it are compared."""

    loss: str
    size: int

    @property
    def flags(self) -> dict[str, Any]:
        """Flags of `gans run`."""
        if self.loss == "stylegan2":
            return {**STYLES, "image_size": (self.size, self.size)}
        return {**PAIR, "loss": self.loss, "image_size": (self.size, self.size)}

    @property
    def images_of_a_cycle(self) -> int:
        """Real images that a cycle takes."""
        batches = {"bce": 1, "wgan-gp": 5, "stylegan2": 16}[self.loss]
        return int(batches * self.flags["batch_size"])

    @property
    def rounds_of_a_cycle(self) -> int:
        """Steps of the laboratory in a cycle."""
        return 16 if self.loss == "stylegan2" else 1

    def loops(self, wanted: Sequence[str]) -> list[type[Loop]]:
        """The loops that train with this loss, of those wanted, or all."""
        return [loop for loop in LOOPS if self.loss in loop.losses and (not wanted or loop.name in wanted)]

    def difference(self, loop: type[Loop]) -> float:
        """Largest relative difference of the loop's losses and gradients to ours, on small networks.

        It is taken in float64, unless the loop computes in bfloat16.
        """
        precision = "fp64" if loop.is_exact else "fp32"
        flags = {**self.flags, "width": 16, "batch_size": 8, "precision": precision}
        if self.loss == "stylegan2":
            return largest_difference(loop, {**flags, "arch.style_mixing": 0.0}, cycles=1)
        return largest_difference(loop, flags)


@dataclass(frozen=True)
class Result:
    """Ratio of the laboratory's images/s to those of a loop.

    Attributes:
        ours, theirs: medians of images/s.
        ratios: block by block, or turn by turn.
        difference: of losses and gradients; None where none is compared.
        best: ratio of the hand-tuned loop's images/s to those of the loop; None where it is not in the call.
    """

    case: Case
    ours_name: str
    name: str
    ours: float
    theirs: float
    ratios: Sequence[float]
    difference: float | None = None
    best: float | None = None

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def goal(self) -> Goal | None:
        """Floor and goal, where there are some."""
        if self.ours_name == IN_BFLOAT16:
            return GOAL_OF_BFLOAT16 if self.name in USUAL else None
        goal = GOALS.get((self.case.loss, self.name))
        if goal is None or self.best is None or self.name == BEST:
            return goal
        return replace(goal, floor=min(goal.floor, ALIKE * self.best))

    @property
    def holds(self) -> bool:
        """Whether the ratio is at its floor, up to noise."""
        return self.goal is None or self.goal.holds(self.ratio)

    def line(self) -> str:
        """A row of the table."""
        low, _, high = statistics.quantiles(self.ratios, n=4) if len(self.ratios) > 1 else [self.ratio] * 3
        goal = "–" if self.goal is None else f"{self.goal.floor:.3g} / {self.goal.goal}"
        verdict = "" if self.goal is None else self.goal.judge(self.ratio)
        difference = "–" if self.difference is None else f"{self.difference:.0e}"
        case = f"{self.case.loss}, {self.case.size} px{', bf16' * (self.ours_name == IN_BFLOAT16)}"
        return (
            f"| {case} | {self.name} | {self.ours:.0f} | {self.theirs:.0f} | {self.ratio:.2f} "
            f"| {low:.2f} – {high:.2f} | {goal} | {verdict} | {difference} |"
        )


TITLES = """| | against | ours, images/s | theirs | ratio | quartiles | floor / goal | | difference |
|---|---|---|---|---|---|---|---|---|"""


def machine() -> str:
    """Versions, and the machine by its processor and threads."""
    processor = platform.processor() or platform.machine()
    if (found := Path("/proc/cpuinfo")).is_file():
        names = [
            line.split(":")[1].strip() for line in found.read_text().splitlines() if "model name" in line
        ]
        processor = names[0] if names else processor
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    return f"{versions}, {processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def compare(
    case: Case, wanted: Sequence[str], rounds: int, cycles: int, clock: Callable[[], float]
) -> Iterator[Result]:
    """Compares the laboratory with loops in blocks that take turns in this process."""
    loops, differences = case.loops(wanted), {}
    for loop in list(loops):
        try:
            differences[loop.name] = case.difference(loop)
        except RestingPlayerError as error:
            print(f"| {case.loss}, {case.size} px | {error} |", flush=True)
            loops.remove(loop)
            continue
        if loop.is_exact and differences[loop.name] > EXACT:
            raise SystemExit(
                f"{case}: {loop.name} differs from the laboratory by {differences[loop.name]:.1e}"
            )
    with tempfile.TemporaryDirectory() as folder:
        blocks = {HERE: laboratory_block(case, case.flags, Path(folder) / "float32")}
        if multiplies_in_bfloat16() and case.loss != "stylegan2":
            flags = {**case.flags, "precision": "bf16"}
            blocks[IN_BFLOAT16] = laboratory_block(case, flags, Path(folder) / "bfloat16")
        blocks |= {loop.name: block_of(loop.of(case.flags)) for loop in loops}
        times = measure(blocks, rounds, cycles, clock)
    speeds = {name: [1000 * case.images_of_a_cycle / ms for ms in column] for name, column in times.items()}
    for ours in [name for name in (HERE, IN_BFLOAT16) if name in blocks]:
        for name in differences:
            found = statistics.median(speeds[ours]), statistics.median(speeds[name])
            yield Result(
                case,
                ours,
                name,
                *found,
                ratios_of(speeds, ours, name),
                differences[name] if ours == HERE else None,
                best_over(speeds, name),
            )


def laboratory_block(case: Case, flags: Mapping[str, Any], folder: Path) -> Block:
    """Makes a block of cycles of the laboratory."""
    steps = laboratory(dict(flags), folder)
    return lambda cycles: steps(cycles * case.rounds_of_a_cycle)


def block_of(loop: Loop) -> Block:
    """Makes a block of cycles of a loop."""

    def block(cycles: int) -> None:
        for _ in range(cycles):
            loop.cycle()

    return block


def compare_processes(case: Case, wanted: Sequence[str], turns: int, seconds: float) -> Iterator[Result]:
    """Compares `gans run` with loops, each in processes of its own that take turns."""
    loops = case.loops(wanted)
    speeds: dict[str, list[float]] = {name: [] for name in (HERE, *(loop.name for loop in loops))}
    for turn in range(turns):
        order = list(speeds) if turn % 2 else list(speeds)[::-1]
        for name in order:
            speeds[name].append(
                speed_of_run(case, seconds) if name == HERE else speed_alone(case, name, seconds)
            )
    for name in list(speeds)[1:]:
        ours, theirs = statistics.median(speeds[HERE]), statistics.median(speeds[name])
        best = best_over(speeds, name)
        yield Result(case, HERE, name, ours, theirs, ratios_of(speeds, HERE, name), best=best)


def ratios_of(speeds: Mapping[str, Sequence[float]], ours: str, theirs: str) -> list[float]:
    """Ratios of two contestants' speeds, block by block."""
    return [a / b for a, b in zip(speeds[ours], speeds[theirs], strict=True)]


def best_over(speeds: Mapping[str, Sequence[float]], name: str) -> float | None:
    """Median ratio of the hand-tuned loop's speed to another's; None where it does not take part."""
    return statistics.median(ratios_of(speeds, BEST, name)) if BEST in speeds else None


def speed_alone(case: Case, name: str, seconds: float) -> float:
    """Images/s of a loop in a new process."""
    words = ["--alone", name, "--losses", case.loss, "--sizes", str(case.size), "--seconds", str(seconds)]
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def speed_of_run(case: Case, seconds: float) -> float:
    """Images/s that `gans run` has written: the median of its lines of scores but the first."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        steps = 75  # three lines
        words = ["--out", str(out), "--steps", str(steps)]
        for name, value in case.flags.items():
            shown = value[0] if isinstance(value, tuple) else value
            words += [f"--{name.replace('_', '-')}", str(shown)]
        subprocess.run(
            [sys.executable, str(ROOT / "cli.py"), "run", *words], cwd=ROOT, capture_output=True, check=True
        )
        (scores,) = Path(folder).rglob("scores.jsonl")
        lines = [json.loads(line) for line in scores.read_text().splitlines()]
    return statistics.median(line["images_per_second"] for line in lines[1:])


def run_alone(case: Case, name: str, seconds: float) -> None:
    """Prints the images/s of a loop in this process, after a cycle that does not count."""
    (kind,) = case.loops([name])
    loop = kind.of(case.flags)
    loop.cycle()
    began, cycles = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        loop.cycle()
        cycles += 1
    print(cycles * case.images_of_a_cycle / (time.perf_counter() - began))


def print_results(results: Iterable[Result]) -> bool:
    """Prints rows as they come; returns whether all are at their floors."""
    holds = True
    for result in results:
        print(result.line(), flush=True)
        holds = holds and result.holds
    return holds


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--losses", default="bce,wgan-gp,stylegan2")
    parser.add_argument("--sizes", default="32,64")
    parser.add_argument("--loops", default="", help="only these, by name")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--cycles", type=int, default=2, help="in a block")
    parser.add_argument("--cpu-time", action="store_true", help="seconds of the processor, not of the clock")
    parser.add_argument("--processes", action="store_true", help="each loop in processes of its own")
    parser.add_argument("--turns", type=int, default=4, help="processes of each loop")
    parser.add_argument("--seconds", type=float, default=20.0, help="that a loop trains in its process")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    wanted = [name for name in asked.loops.split(",") if name]
    cases = [Case(loss, int(size)) for loss in asked.losses.split(",") for size in asked.sizes.split(",")]
    shapes.LENGTH = READY  # each loop has its own
    if asked.alone:
        run_alone(cases[0], asked.alone, asked.seconds)
        return
    print(f"{machine()}, {asked.turns if asked.processes else asked.rounds} rounds\n\n{TITLES}", flush=True)
    clock = time.process_time if asked.cpu_time else time.perf_counter
    compared: Callable[[Case], Iterator[Result]] = (
        (lambda case: compare_processes(case, wanted, asked.turns, asked.seconds))
        if asked.processes
        else (lambda case: compare(case, wanted, asked.rounds, asked.cycles, clock))
    )
    holds = [print_results(compared(case)) for case in cases]
    for remark in peer_torchgan.REMARKS:
        print(remark)
    sys.exit(0 if all(holds) else 1)


if __name__ == "__main__":
    main()
