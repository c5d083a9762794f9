"""Where a training cycle spends its time, by operation: the laboratory beside hand-written loops.

    python benchmarks/step_profile.py [--losses bce,wgan-gp,stylegan2] [--size 32] [--shapes]

Printed are milliseconds and calls per cycle of PyTorch's own operations, without those that they call,
largest first; "Python" is what is left of the cycle's time. Profiled cycles are slower than others, small
operations most: benchmarks/peers.py measures speed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from torch.profiler import ProfilerActivity, profile  # noqa: E402

from benchmarks.overhead import READY, Block  # noqa: E402
from benchmarks.peers import HERE, Case, block_of, laboratory_block, machine  # noqa: E402
from experiments.data import shapes  # noqa: E402

LOOPS = {"bce": ["hand-tuned"], "wgan-gp": ["hand-tuned"], "stylegan2": ["stylegan2-ada"]}
LEFT, WHOLE = "Python", "whole cycle"
Profile = dict[str, tuple[float, float]]  # operation → milliseconds and calls of a cycle


def profile_block(block: Block, cycles: int, by_shapes: bool) -> Profile:
    """Profiles cycles of a loop, after one that does not count."""
    block(1)
    began = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=by_shapes) as profiler:
        began = time.perf_counter()
        block(cycles)
        whole = (time.perf_counter() - began) / cycles * 1000
    found = {
        name_of(event): (event.self_cpu_time_total / 1000 / cycles, event.count / cycles)
        for event in profiler.key_averages(group_by_input_shape=by_shapes)
    }
    left = whole - sum(milliseconds for milliseconds, _ in found.values())
    return {**found, LEFT: (left, 0.0), WHOLE: (whole, 0.0)}


def name_of(event: Any) -> str:
    """Name of an operation, with the shapes of its tensors where they are known."""
    shapes = [str(tuple(shape)) for shape in event.input_shapes or () if shape]
    return f"{event.key} {' '.join(shapes[:3])}".strip()


def print_profiles(title: str, profiles: dict[str, Profile], rows: int) -> None:
    """Prints the operations that take longest in any of the loops."""
    names = {name for each in profiles.values() for name in each}

    def longest(name: str) -> float:
        return max(each.get(name, (0.0, 0.0))[0] for each in profiles.values())

    print(f"\n| {title} | " + " | ".join(f"{name}, ms | calls" for name in profiles) + " |")
    print("|---" * (1 + 2 * len(profiles)) + "|")
    for name in sorted(names, key=longest, reverse=True)[:rows]:
        cells = [each.get(name, (0.0, 0.0)) for each in profiles.values()]
        print(f"| {name} | " + " | ".join(f"{ms:.1f} | {calls:.0f}" for ms, calls in cells) + " |")


def main() -> None:
    """Prints a table for each loss."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--losses", default="bce,wgan-gp,stylegan2")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--loops", default="", help="instead of the hand-tuned or published one")
    parser.add_argument("--shapes", action="store_true", help="by the shapes of tensors too")
    parser.add_argument("--cycles", type=int, default=4)
    parser.add_argument("--rows", type=int, default=30)
    asked = parser.parse_args()
    shapes.LENGTH = READY
    print(machine())
    for loss in asked.losses.split(","):
        case = Case(loss, asked.size)
        wanted = asked.loops.split(",") if asked.loops else LOOPS[loss]
        cycles = 1 if loss == "stylegan2" else asked.cycles
        with tempfile.TemporaryDirectory() as folder:
            blocks = {HERE: laboratory_block(case, case.flags, Path(folder))}
            blocks |= {loop.name: block_of(loop.of(case.flags)) for loop in case.loops(wanted)}
            profiles = {name: profile_block(block, cycles, asked.shapes) for name, block in blocks.items()}
        print_profiles(f"{loss}, {asked.size} px", profiles, asked.rows)


if __name__ == "__main__":
    main()
