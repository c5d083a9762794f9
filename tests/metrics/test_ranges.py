"""What a score's declared range and direction mean: bounds that samples reach, and better samples."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metrics.class_modes import ClassModes, ClassModesOptions
from metrics.core.metric import Metric
from metrics.core.statistics import Moments, Statistics
from metrics.density_coverage import DensityCoverage
from metrics.fid import FrechetDistance
from metrics.fid_infinity import FrechetDistanceInfinity
from metrics.inception_score import InceptionScore
from metrics.kid import KernelDistance, KernelDistanceOptions
from metrics.l1 import L1
from metrics.modes import Modes
from metrics.path_length import PathLength
from metrics.precision_recall import PrecisionRecall
from metrics.psnr import PeakSignalNoiseRatio
from metrics.ssim import StructuralSimilarity
from metrics.stacked_mnist import StackedMnist
from tests.metrics.test_contract import NAMES, metric_of

REAL = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
ALIKE = torch.ones(20, 8)  # of which all subsets are alike
FEW = KernelDistanceOptions(subsets=2, subset_size=4)
CHECKERS = 2.0 * (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).expand(4, 3, 16, 16) - 1
# A class that nobody is sure of, though one is the likeliest, and one that all are sure of.
UNSURE, SURE = torch.tensor([[0.1, 0.0, 0.0]]).repeat(30, 1), 100.0 * torch.eye(3).repeat(10, 1)


def moments(vectors: Tensor) -> Statistics:
    found = Moments()
    found.update(vectors)
    return found.statistics()


def pairs(made: Tensor, targets: Tensor) -> Tensor:
    return torch.stack([made, targets], dim=1)


# Samples at both ends of the range of each score whose end is finite.
LOW: dict[str, dict[str, tuple[Metric, Tensor]]] = {
    "class_modes": {
        "covered": (ClassModes(options=ClassModesOptions(share=0.5)), SURE),
        "high_quality": (ClassModes(), UNSURE),
        "kl": (ClassModes(), SURE),
    },
    "density_coverage": dict.fromkeys(("density", "coverage"), (DensityCoverage(REAL), REAL + 100)),
    "fid": {"fid": (FrechetDistance(moments(REAL.double())), REAL.double())},
    "fid_infinity": {
        "standard_error": (FrechetDistanceInfinity(moments(torch.zeros(300, 8))), torch.zeros(300, 8))
    },
    "inception_score": dict.fromkeys(
        ("inception_score", "deviation"), (InceptionScore(), torch.zeros(20, 4))
    ),
    "kid": dict.fromkeys(("standard_error", "deviation"), (KernelDistance(ALIKE, FEW), ALIKE + 1)),
    "l1": {"l1": (L1(), pairs(CHECKERS, CHECKERS))},
    "modes": {
        "covered": (Modes(torch.eye(2), 0.1), torch.full((9, 2), 9.0)),
        "high_quality": (Modes(torch.eye(2), 0.1), torch.full((9, 2), 9.0)),
        "kl": (Modes(torch.eye(2), 0.1), torch.eye(2)),
    },
    "path_length": dict.fromkeys(("path_length", "standard_error"), (PathLength(), torch.ones(9, 2, 8))),
    "precision_recall": dict.fromkeys(("precision", "recall"), (PrecisionRecall(REAL), REAL + 100)),
    "psnr": {"psnr": (PeakSignalNoiseRatio(), pairs(CHECKERS, -CHECKERS))},
    "ssim": {"ssim": (StructuralSimilarity(), pairs(CHECKERS, -CHECKERS))},
    "stacked_mnist": {
        "covered": (StackedMnist(), torch.eye(2)[torch.zeros(9, 3, dtype=torch.long)]),
        "kl": (StackedMnist(), torch.eye(2)[torch.cartesian_prod(*[torch.arange(2)] * 3)]),
    },
}
HIGH: dict[str, dict[str, tuple[Metric, Tensor]]] = {
    "class_modes": {"high_quality": (ClassModes(), SURE)},
    "density_coverage": {"coverage": (DensityCoverage(REAL), REAL)},
    "l1": {"l1": (L1(), pairs(CHECKERS, -CHECKERS))},
    "modes": {"high_quality": (Modes(torch.eye(2), 0.1), torch.eye(2))},
    "precision_recall": dict.fromkeys(("precision", "recall"), (PrecisionRecall(REAL), REAL)),
    "psnr": {"psnr": (PeakSignalNoiseRatio(), pairs(CHECKERS, CHECKERS))},
    "ssim": {"ssim": (StructuralSimilarity(), pairs(CHECKERS, CHECKERS))},
}
NEVER_AT_ITS_END = {("stacked_mnist", "covered"): 1.0}  # any sample at all covers one


@pytest.mark.parametrize(("ends", "side"), [(LOW, 0), (HIGH, 1)], ids=["low", "high"])
@pytest.mark.parametrize("name", sorted(LOW.keys() | HIGH.keys()))
def test_finite_bounds_are_reached_by_the_worst_or_best_of_samples(
    name: str, ends: dict[str, dict[str, tuple[Metric, Tensor]]], side: int
) -> None:
    """A bound that none reach widens intervals that are clipped to it; one within cuts true scores."""
    ranges = metric_of(name).ranges
    finite = {key for key, bounds in ranges.items() if math.isfinite(bounds[side])}
    assert ends.get(name, {}).keys() == finite
    for key, (metric, samples) in ends.get(name, {}).items():
        metric.update(samples)
        found = metric.compute()[key]
        assert found == pytest.approx(ranges[key][side] + NEVER_AT_ITS_END.get((name, key), 0.0), abs=0.005)
        metric.reset()


def logits(labels: Tensor, classes: int, certainty: float) -> Tensor:
    return certainty * one_hot(labels, classes).float()


def better_and_worse(takes: str) -> tuple[Tensor, Tensor]:
    """Samples that are good by any score, and others that are bad by every one."""
    torch.manual_seed(1)
    even, same = torch.arange(400) % 8, torch.zeros(400, dtype=torch.long)
    triples, black = torch.randint(4, (400, 3)), torch.zeros(400, 3, dtype=torch.long)
    picture = torch.rand(9, 3, 16, 16) - 0.5
    step = torch.randn(400, 8)
    options: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {
        "points": lambda: (torch.eye(2).repeat(200, 1), torch.tensor([[1.0, 0.5]]).repeat(400, 1)),
        "vectors": lambda: (torch.randn(400, 8), torch.randn(400, 8).abs() + 20),
        "logits": lambda: (logits(even, 8, 20.0), logits(same, 8, 0.1)),
        "channel-logits": lambda: (logits(triples, 4, 9.0), logits(black, 4, 9.0)),
        "path-vectors": lambda: (pairs(step, step + 1e-6), pairs(step, step + 1e-4 * torch.randn(400, 8))),
        "pairs": lambda: (pairs(picture, picture + 0.01), pairs(picture, -picture)),
        "images": lambda: (
            torch.randn(400, 3, 8, 8),
            2 + 3 * torch.randn(400, 1, 8, 8).expand(-1, 3, -1, -1),
        ),
    }
    return options[takes]()


@pytest.mark.parametrize("name", NAMES)
def test_better_samples_score_in_the_declared_direction(name: str) -> None:
    """Comparisons and sweeps rank by it."""
    kind = metric_of(name)
    references = {
        "none": (),
        "vectors": (REAL,),
        "statistics": (moments(REAL),),
        "class-shares": (torch.ones(8),),
        "mixture": (torch.eye(2), 0.1),
        "images": ([torch.randn(400, 3, 8, 8)],),
    }
    arguments = references[kind.reference] + ((FEW,) if name == "kid" else ())
    found = []
    copied = (torch.randn(400, 8), REAL)  # fresh samples are better than copies, however good these look
    for samples in copied if name == "authenticity" else better_and_worse(kind.takes):
        metric = kind(*arguments)
        metric.update(samples)
        found.append(metric.compute())
    for key, upwards in kind.higher_is_better.items():
        better, worse = (scores[key] for scores in found)
        assert better > worse if upwards else better < worse, key
    assert next(iter(found[0])) in kind.higher_is_better, "the score that names the metric has a direction"
