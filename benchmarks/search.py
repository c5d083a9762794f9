"""TPE beside random search, with equal budgets: on a function of two numbers, and on ring8.

    python benchmarks/search.py [--problem branin,ring8] [--trials 40] [--repetitions 10] [--kimg 20]

A repetition is a seed of the search; both searches begin with the same draws. Printed are the means over the
repetitions of the best value found, their paired differences, and Student's 95 % intervals; lower is better.
`branin` is Branin's function, whose least value is 0.398, and trains nothing. `ring8` trains an mlp for each
trial, searches both learning rates and the width, and has the divergence of its samples over the modes as its
value (modes/kl, of runs that did not collapse).
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from experiments.analysis.comparison.significance import confidence_interval
from experiments.core.named_values import SettingValues
from experiments.core.ranking import rank_value
from experiments.sweeps.context import SweepContext
from experiments.sweeps.optuna_rules import KnownTrial, propose_settings
from experiments.sweeps.ranking import score_setting
from experiments.sweeps.search_space import Range, Sweep
from experiments.sweeps.worker import Evaluation, run_task

Measure = Callable[[SettingValues], float | None]
WORST = math.log(8)  # divergence of a run that has collapsed: all samples at one of eight modes


def branin(settings: SettingValues) -> float:
    """Branin's function of x in [-5, 10] and y in [0, 15] (Dixon & Szegö 1978)."""
    x, y = settings["x"], settings["y"]
    bow = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return float(bow**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def branin_space(seed: int) -> Sweep:
    """The square in which Branin's function is searched."""
    return Sweep({}, [seed], {"x": Range(-5, 10, is_log=False), "y": Range(0, 15, is_log=False)}, 1)


def ring8_space(seed: int, kimg: float) -> Sweep:
    """Learning rates and widths of an mlp on ring8."""
    rates = {name: Range(1e-5, 1e-1) for name in ("lr_generator", "lr_critic")}
    base = {
        "arch": "mlp",
        "data": "ring8",
        "batch_size": 64,
        "kimg": kimg,
        "device": "cpu",
        "track": ("local",),
    }
    return Sweep({}, [seed], {**rates, "width": Range(8, 64, is_whole=True)}, 1, base)


def train_on_ring8(sweep: Sweep, out: Path) -> Measure:
    """Makes the function that trains and evaluates a run of these settings."""
    context = SweepContext(out, sweep, Evaluation(("modes",), 2000))

    def measure(settings: SettingValues) -> float | None:
        runs = sweep.runs_of([settings])
        run_task(context.task(runs[0]))
        return score_setting(context, runs, "modes/kl").median

    return measure


def search(sweep: Sweep, measure: Measure, trials: int, is_tpe: bool) -> float:
    """Searches with so many trials; returns the best value found."""
    known: list[KnownTrial] = []
    for number in range(trials):
        settings = propose_settings(sweep, known) if is_tpe else sweep.draw(number)
        assert settings is not None
        known.append(KnownTrial(settings, [rank_value(measure(settings), False)], True, True))
    return min(WORST if math.isinf(trial.values[0]) else -trial.values[0] for trial in known)


def repeat(problem: str, trials: int, kimg: float, seed: int) -> tuple[float, float]:
    """Searches a problem by TPE and at random; returns the best values of both."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = branin_space(seed) if problem == "branin" else ring8_space(seed, kimg)
        measure = branin if problem == "branin" else train_on_ring8(sweep, Path(folder))
        found: dict[str, float | None] = {}

        def remember(settings: SettingValues) -> float | None:
            name = sweep.name_of(settings)
            if name not in found:
                found[name] = measure(settings)
            return found[name]

        return search(sweep, remember, trials, True), search(sweep, remember, trials, False)


def describe(values: list[float], least: float = 0.0) -> str:
    """Describes the mean of values, which are at least so large, with its interval."""
    mean = f"{sum(values) / len(values):.4g}"
    if len(values) < 2:
        return mean
    low, high = confidence_interval(values, bounds=(least, math.inf))
    return f"{mean} [{low:.4g}, {high:.4g}]"


def main() -> None:
    """Runs all repetitions, and prints a row for each problem."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problem", default="branin,ring8")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--kimg", type=float, default=20.0, help="length of each run on ring8")
    options = parser.parse_args()
    print("| problem | trials | repetitions | TPE | random | TPE − random | TPE better in | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for problem in options.problem.split(","):
        began = time.monotonic()
        pairs = [repeat(problem, options.trials, options.kimg, seed) for seed in range(options.repetitions)]
        tpe, drawn = ([pair[side] for pair in pairs] for side in (0, 1))
        better = sum(ours < theirs for ours, theirs in pairs)
        cells = [problem, options.trials, len(pairs), describe(tpe), describe(drawn)]
        cells += [describe([ours - theirs for ours, theirs in pairs], -math.inf), f"{better} of {len(pairs)}"]
        print("|", " | ".join(map(str, cells)), f"| {time.monotonic() - began:.0f} |", flush=True)


if __name__ == "__main__":
    main()
