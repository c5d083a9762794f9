"""Seconds until commands that only read names answer, beside those of Python alone.

    python benchmarks/start.py

Prints the median of ten starts each, interleaved. Goal: 0.2 s on an idle machine. The status is 1 where one
takes more than half a second.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
STARTS, MOST_SECONDS = 10, 0.5
WORDS = ("--help", "run --help", "list losses --json")
COMMANDS = {
    "python alone": ["-c", "pass"],
    **{
        words: [str(ROOT / "cli.py"), *words.split()]
        for words in ("--help", "run --help", "list losses --json")
    },
}


def start_seconds(words: list[str]) -> float:
    """Measures one start of Python with these arguments, to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    seconds = {name: [] for name in COMMANDS}  # type: dict[str, list[float]]
    for _ in range(STARTS):
        for name, words in COMMANDS.items():
            seconds[name].append(start_seconds(words))
    for name, own in seconds.items():
        print(f"{name:<20}{statistics.median(own):6.2f} s")
    sys.exit(any(statistics.median(own) > MOST_SECONDS for own in seconds.values()))
