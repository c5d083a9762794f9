"""Distance to held-out pictures over runs on few pictures, with and without augmentation of the critic.

    OMP_NUM_THREADS=1 python benchmarks/few_pictures.py --out DIR [--arch NAME] [--pictures 200] [--kimg N]
        [--arms none,flip,ada,diffaugment] [--seeds 0,1,2] [--set KEY=VALUE …] [--plot FILE.png] [--finished]

Trains on a seeded choice of pictures of Fashion-MNIST with preset laptop; all others are held out. Features
are those of `gans train-classifier --data fashion-mnist`. Prints the distance at the best evaluation and at
the end, and its change in the last kimg, for every arm the mean with its 95 % interval over seeds, and draws
it over kimg. The same command again goes on where it was stopped, a larger `--kimg` trains longer, and with
`--finished` runs are only read.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gans
from experiments.core.images import render_figure, save_png
from experiments.core.plot_style import SERIES, styled
from experiments.runs.folder import RunFolder

PICTURES_IN_ALL = 60_000
ARMS: dict[str, dict[str, Any]] = {
    "none": {},
    "flip": {"augment": "flip"},
    "ada": {"critic_augment": "ada", "ada.kimg": 30.0},  # of any length, so that runs can be trained longer
    "diffaugment": {"critic_augment": "diffaugment"},
}
FEWEST_SEEDS = 3  # with two an interval is wider than the plot
END_KIMG = 0.5  # by which runs of several batch sizes end later than asked for
SCORE = "fd-classifier:fashion-mnist/held-out"
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # kimg and distances


def folder_of(asked: argparse.Namespace, arm: str, seed: int) -> Path:
    """The folder of one run."""
    folder: Path = asked.out / f"{asked.arch}-{asked.pictures}" / f"{arm}-{seed}"
    return folder


def train(asked: argparse.Namespace, arm: str, seed: int) -> Path:
    """Trains one run, or goes on with it; returns its folder."""
    folder = folder_of(asked, arm, seed)
    if asked.kimg is not None and RunFolder(folder).config_file.exists():
        gans.train(resume=folder, kimg=asked.kimg)
        return folder
    flags: dict[str, Any] = {"arch": asked.arch, "data": "fashion-mnist", "preset": "laptop", "seed": seed}
    flags |= {"holdout": 1 - asked.pictures / PICTURES_IN_ALL, "device": "cpu", "track": "local"}
    flags |= {"evaluate_kimg": asked.evaluate_kimg, "evaluate_metrics": "fid", "evaluate_samples": 5000}
    flags |= {"extractor": "classifier:fashion-mnist", **ARMS[arm]}
    flags |= {} if asked.kimg is None else {"kimg": asked.kimg}
    flags |= dict(word.split("=", 1) for word in asked.set)
    gans.train(folder, **flags)
    return folder


def curve(folder: Path, until: float | None) -> Curve:
    """Reads the distances of a run over kimg, to a kimg where one is given."""
    scores = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    kimg = {line["step"]: line["kimg"] for line in scores}
    lines = [json.loads(line) for line in (folder / "evaluation.jsonl").read_text().splitlines()]
    found = {line["step"]: line["scores"][SCORE]["value"] for line in lines if SCORE in line["scores"]}
    steps = [step for step in sorted(found) if until is None or kimg[step] <= until + END_KIMG]
    return np.array([kimg[step] for step in steps]), np.array([found[step] for step in steps])


def change_at_the_end(run: Curve, kimg: float) -> float:
    """Change of the distance in the last kimg of a run: positive where it turned upward."""
    shown, distances = run
    before = np.abs(shown - (shown[-1] - kimg)).argmin()
    return float(distances[-1] - distances[before])


def interval(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the width of the 95 % interval of the mean over seeds, the first axis."""
    error = values.std(axis=0, ddof=1) / len(values) ** 0.5
    return np.asarray(stats.t.ppf(0.975, len(values) - 1) * error)


def describe(values: NDArray[np.float64]) -> str:
    """The mean of one value for each seed, with its interval and the values where there are several."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    each = ", ".join(f"{value:.2f}" for value in values)
    return f"{values.mean():.2f} ± {interval(values):.2f} ({each})"


@styled
def draw(curves: dict[str, Sequence[Curve]], title: str, file: Path) -> None:
    """Draws the distance of every arm over kimg, beside each other.

    Thin lines are seeds, each with a dot at its best; thick ones their mean, from three seeds on with its
    interval.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.2 * len(curves) + 0.6, 3.4))
    panels = figure.subplots(1, len(curves), sharex=True, sharey=True, squeeze=False)[0]
    for number, (axes, (arm, runs)) in enumerate(zip(panels, curves.items(), strict=True)):
        kimg, values = runs[0][0], np.stack([distances for _, distances in runs])
        colour, mean = SERIES[number], values.mean(axis=0)
        axes.plot(kimg, mean, color=colour, linewidth=2.4)
        for own in values if len(runs) > 1 else ():
            axes.plot(kimg, own, color=colour, linewidth=0.9, alpha=0.7)
        for own in values:
            axes.plot(kimg[own.argmin()], own.min(), "o", color=colour, markersize=5)
        if len(runs) >= FEWEST_SEEDS:
            half = interval(values)
            axes.fill_between(kimg, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)
        axes.set(xlabel="kimg", title=arm, ylim=(0, None))
    panels[0].set_ylabel("distance to held-out pictures")
    figure.suptitle(title, x=0.01, ha="left")
    save_png(render_figure(figure), file)


def main() -> None:
    """Trains what is not there, prints the table, and draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arch", default="stylegan2")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument(
        "--kimg", type=float, help="length of each run, to which it is read; default: the preset's"
    )
    parser.add_argument("--evaluate-kimg", type=float, default=8.0)
    parser.add_argument("--trend-kimg", type=float, default=100.0)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--set", action="append", default=[], help="a setting or option of all runs")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--finished", action="store_true", help="only the runs that are finished")
    asked = parser.parse_args()
    curves: dict[str, Sequence[Curve]] = {}
    trend = f"change in the last {asked.trend_kimg:g} kimg"
    print(f"| | best | at kimg | at the end | {trend} |\n|---|---|---|---|---|", flush=True)
    for arm in asked.arms.split(","):
        seeds = [
            seed
            for seed in map(int, asked.seeds.split(","))
            if not asked.finished or RunFolder(folder_of(asked, arm, seed)).is_finished
        ]
        if not seeds:
            continue
        read = folder_of if asked.finished else train
        curves[arm] = runs = [curve(read(asked, arm, seed), asked.kimg) for seed in seeds]
        best = np.array([distances.min() for _, distances in runs])
        last = np.array([distances[-1] for _, distances in runs])
        when = ", ".join(f"{kimg[distances.argmin()]:.0f}" for kimg, distances in runs)
        change = np.array([change_at_the_end(run, asked.trend_kimg) for run in runs])
        print(
            f"| {arm} | {describe(best)} | {when} | {describe(last)} | {describe(change)} |",
            flush=True,
        )
    if asked.plot:
        draw(curves, f"{asked.arch} on {asked.pictures} pictures", asked.plot)


if __name__ == "__main__":
    main()
