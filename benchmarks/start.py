"""Seconds until commands that only read names answer, beside those of Python alone.

    python benchmarks/start.py

Prints the median of ten starts each, interleaved. The status is 1 where `gans --help` takes more than 0.2 s,
or one of the others, which look at plug-ins, more than 0.4 s.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
STARTS = 10
MOST_SECONDS = {"--help": 0.2, "run --help": 0.4, "list losses --json": 0.4}
COMMANDS = {
    "python alone": ["-c", "pass"],
    **{words: [str(ROOT / "cli.py"), *words.split()] for words in MOST_SECONDS},
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
    medians = {name: statistics.median(own) for name, own in seconds.items()}
    for name, median in medians.items():
        print(f"{name:<20}{median:6.2f} s")
    sys.exit(any(medians[name] > most for name, most in MOST_SECONDS.items()))
