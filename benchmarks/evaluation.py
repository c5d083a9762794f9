"""Speed of our metrics against torch-fidelity's and pytorch-fid's on the same features, in one process.

    python benchmarks/evaluation.py [--rounds 5] [--row NAME]… [--against NAME]

Every row first checks that all contestants find the same value, then lets them take turns, each round
in another order; without a round (`--rounds 0`) the check itself is timed. Printed are medians of the
seconds, and the median of the rounds' ratios beside the floor and the goal. What is given to a contestant
is what it would have at that point: statistics for the distance (with our reference's root kept, as for
the second of many evaluations; and, in a row of its own, without), features or logits for the others.
clean-fid takes part where it is installed.

The status is 1 where a ratio is below its floor by more than noise.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from goals import Goal
from inception_weights import make
from pytorch_fid.fid_score import calculate_frechet_distance
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from metrics.core.metric import Metric
from metrics.core.statistics import Moments, Statistics, frechet_distance
from metrics.extractors.inception import Inception
from metrics.inception_score import InceptionScore
from metrics.kid import KernelDistance
from metrics.precision_recall import PrecisionRecall

WIDTH, CLASSES, SAMPLES = 2048, 1008, 5000
Contestant = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """Comparison of our implementation of a score with others.

    Attributes:
        ours: computes the score.
        others: by name, compute the same score.
        goals: by the same names; a contestant without a goal is shown only.
        tolerance: relative, between our value and each of theirs.
    """

    ours: Contestant
    others: dict[str, Contestant]
    goals: dict[str, Goal] = field(default_factory=dict)
    tolerance: float = 1e-6

    def against(self, name: str) -> "Row":
        """The comparison with one other alone."""
        return replace(self, others={name: self.others[name]})


def features(count: int, seed: int, scale: float = 1.0) -> Tensor:
    """Draws features `(N, 2048)` in float32, correlated and never negative.

    Those of Inception's last pooling are so, too.
    """
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0)) / WIDTH**0.5
    strengths = torch.logspace(0, -2, WIDTH)
    return (torch.randn(count, WIDTH, generator=generator) * strengths @ mixing * scale + 0.3).relu()


def statistics_of(vectors: Tensor) -> Statistics:
    """Statistics (mean and covariance) of feature vectors."""
    moments = Moments()
    moments.update(vectors)
    return moments.statistics()


def score_of(metric: Metric, samples: Tensor, name: str) -> float:
    """Computes a score of samples by a metric, from its start."""
    metric.reset()
    metric.update(samples)
    return metric.compute()[name]


def frechet_row(generated: int, real: int, keep_root: bool, **goals: Goal) -> Row:
    """Compares the Fréchet distance with torch-fidelity's and pytorch-fid's.

    Args:
        keep_root: whether the root of our reference's covariance is computed beforehand.
    """
    x, y = features(generated, 1, scale=1.2), features(real, 2)
    a, b = statistics_of(x), statistics_of(y)
    theirs = [fid_features_to_statistics(side.double()) for side in (x, y)]
    arrays = [array for side in theirs for array in (side["mu"], side["sigma"])]
    if keep_root:
        _ = b.root

    def ours() -> float:
        reference = b if keep_root else Statistics(b.mean, b.covariance, b.count)
        return frechet_distance(a, reference)

    def torch_fidelity() -> float:
        return fid_statistics_to_metric(*theirs, verbose=False)["frechet_inception_distance"]

    def pytorch_fid() -> float:
        return float(calculate_frechet_distance(*arrays))

    full = min(generated, real) > WIDTH
    others: dict[str, Contestant] = {"torch-fidelity": torch_fidelity}
    if full:  # with fewer samples than features it adds 1e-6 to the diagonal: another number
        others["pytorch-fid"] = pytorch_fid
        if find_spec("cleanfid") is not None:
            from cleanfid.fid import frechet_distance as clean_fid

            others["clean-fid"] = lambda: float(clean_fid(*arrays))
    renamed = {name.replace("_", "-"): goal for name, goal in goals.items()}
    return Row(ours, others, renamed, tolerance=1e-8 if full else 1e-4)


def kid_row() -> Row:
    """Compares KID with torch-fidelity's."""
    x, y = features(SAMPLES, 1, scale=1.2), features(SAMPLES, 2)
    metric = KernelDistance(y)
    return Row(
        ours=lambda: score_of(metric, x, "kid"),
        others={
            "torch-fidelity": lambda: kid_features_to_metric(x, y, verbose=False)[
                "kernel_inception_distance_mean"
            ]
        },
        goals={"torch-fidelity": Goal(2, 2.6)},
        tolerance=1e-3,  # theirs sums a million float32 kernels; in float64 both agree to 1e-9
    )


def precision_row() -> Row:
    """Compares precision and recall with torch-fidelity's."""
    x, y = features(SAMPLES, 1, scale=1.02), features(SAMPLES, 2)
    metric = PrecisionRecall(y)
    return Row(
        ours=lambda: score_of(metric, x, "recall"),
        others={"torch-fidelity": lambda: prc_features_to_metric(x, y, verbose=False)["recall"]},
        goals={"torch-fidelity": Goal(1.2, 1.5)},
        tolerance=2e-3,  # a few of 5,000 distances are as near to a radius as float32 rounds
    )


def inception_score_row() -> Row:
    """Compares the Inception Score with torch-fidelity's."""
    logits = 3 * torch.randn(SAMPLES, CLASSES, generator=torch.Generator().manual_seed(0))
    metric = InceptionScore()
    return Row(
        ours=lambda: score_of(metric, logits, "inception_score"),
        others={"torch-fidelity": lambda: isc_features_to_metric(logits)["inception_score_mean"]},
        goals={"torch-fidelity": Goal(1.5, 2)},
        tolerance=1e-12,
    )


def inception_row() -> Row:
    """Compares Inception's features of 32 images of 32×32 pixels, in batches of 16, resizing included."""
    file = Path(tempfile.mkdtemp()) / "weights.pth"
    make(file)
    ours = Inception(file)
    theirs = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(file))
    images = torch.randint(256, (32, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
    batches = torch.split(images, 16)
    return Row(
        lambda: torch.cat([ours(batch).vectors for batch in batches]).double().norm().item(),
        {"torch-fidelity": lambda: torch.cat([theirs(b)[0] for b in batches]).double().norm().item()},
        {"torch-fidelity": Goal(1.35, 1.7)},
        tolerance=1e-5,
    )


# A row is made when its turn comes, so that one comparison's features are not in the memory of the next.
ROWS: dict[str, Callable[[], Row]] = {
    "frechet": lambda: frechet_row(
        SAMPLES, SAMPLES, True, torch_fidelity=Goal(1.8, 2.6), pytorch_fid=Goal(6, 10)
    ),
    "frechet-first": lambda: frechet_row(SAMPLES, SAMPLES, False),
    "frechet-500-500": lambda: frechet_row(500, 500, True, torch_fidelity=Goal(20, 50)),
    "frechet-500-5000": lambda: frechet_row(500, SAMPLES, True, torch_fidelity=Goal(20, 50)),
    "kid": kid_row,
    "precision-recall": precision_row,
    "inception-score": inception_score_row,
    "inception-features": inception_row,
}


class Turn(NamedTuple):
    """Value that a contestant computed, and the seconds that it took."""

    value: float
    seconds: float


def timed(contestant: Contestant) -> Turn:
    """Lets a contestant compute once."""
    began = time.perf_counter()
    value = contestant()
    return Turn(value, time.perf_counter() - began)


def compare(name: str, row: Row, rounds: int) -> bool:
    """Checks the values, then times `rounds` rounds, and prints a line for each other contestant.

    Without a round the check's own times stand. Returns whether all ratios are at their floors.
    """
    contestants = {"ours": row.ours, **row.others}
    checks = {each: timed(contestant) for each, contestant in contestants.items()}
    value = checks["ours"].value
    for other in row.others:
        if not math.isclose(value, checks[other].value, rel_tol=row.tolerance):
            raise SystemExit(f"{name}: ours is {value!r}, {other}'s is {checks[other].value!r}")
    times = {each: [] if rounds else [check.seconds] for each, check in checks.items()}
    for turn in range(rounds):
        order = list(contestants) if turn % 2 else list(reversed(contestants))
        for each in order:
            times[each].append(timed(contestants[each]).seconds)
    holds = True
    for other in row.others:
        ratio = statistics.median(b / a for a, b in zip(times["ours"], times[other], strict=True))
        goal = row.goals.get(other)
        verdict = "" if goal is None else f"{goal.floor:>7.1f}{goal.goal:>7.1f}  {goal.judge(ratio)}"
        holds = holds and (goal is None or goal.holds(ratio))
        ours, theirs = statistics.median(times["ours"]), statistics.median(times[other])
        print(f"{name:<20}{other:<16}{ours:>9.3f}{theirs:>9.3f}{ratio:>9.2f}{verdict}", flush=True)
    return holds


def print_titles(rounds: int) -> None:
    """Prints the versions and the titles of the columns."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds\n")
    titles = f"{'row':<20}{'against':<16}{'ours s':>9}{'theirs s':>9}{'ratio':>9}{'floor':>7}{'goal':>7}"
    print(titles, flush=True)


def main() -> None:
    """Prints the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--row", choices=ROWS, action="append", help="only this comparison; repeatable")
    parser.add_argument("--against", metavar="NAME", help="only with this other, such as torch-fidelity")
    options = parser.parse_args()
    print_titles(options.rounds)
    rows = ((name, ROWS[name]()) for name in options.row or ROWS)
    chosen = ((name, row.against(options.against) if options.against else row) for name, row in rows)
    holds = [compare(name, row, options.rounds) for name, row in chosen]
    sys.exit(0 if all(holds) else 1)


if __name__ == "__main__":
    main()
