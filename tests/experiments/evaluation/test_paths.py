"""Lengths of latent paths: from a generator's unrounded samples to the score."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from experiments.core.settings import Settings
from experiments.evaluation.extraction import path_vectors
from experiments.evaluation.points_extractor import PointsExtractor
from experiments.evaluation.sample_sets import GeneratedSamples
from gans.core.networks import LatentNetwork
from metrics.extractors.core.extractor import Extractor
from metrics.extractors.random_vgg import RandomVGG
from metrics.path_length import PathLength, PathLengthOptions


class Linear(LatentNetwork):
    """`z ↦ scale · z`, as points or as the levels of a grey image."""

    def __init__(self, scale: float, shape: tuple[int, ...]) -> None:
        super().__init__(z_dim=64)
        self.scale, self.shape = scale, shape

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return ()

    def forward(self, z: Tensor) -> Tensor:
        return (self.scale * z).view(-1, *self.shape)


def length(
    scale: float, extractor: Extractor, size: tuple[int, int] | None = None, count: int = 100
) -> float:
    """Mean length of the paths of a linear generator."""
    shape = (1, *size) if size else (64,)
    settings = Settings(z_dim=64, image_size=size, channels=1 if size else None)
    samples = GeneratedSamples("linear", Linear(scale, shape), settings, count, 0, "cpu")
    metric, meter = PathLength(PathLengthOptions(trim=(0.0, 100.0))), lambda name, total: lambda done: None
    for batch in path_vectors(samples, extractor, meter):
        metric.update(batch)
    assert len(metric.lengths) == count
    return metric.compute()["path_length"]


def test_a_steeper_generator_has_longer_paths() -> None:
    """By the square of the slope: latents of 64 numbers are about 8 long, and at right angles."""
    one, two = length(1.0, PointsExtractor()), length(2.0, PointsExtractor())
    assert two == pytest.approx(4 * one, rel=1e-4)
    assert one == pytest.approx(64 * (math.pi / 2) ** 2, rel=0.1)
    assert length(0.0, PointsExtractor()) == 0


def test_steps_smaller_than_a_level_of_grey_count() -> None:
    """A step changes levels by a thousandth: rounded, nearly all paths would have no length."""
    extractor = RandomVGG()
    one, two = (length(scale, extractor, (8, 8), 40) for scale in (0.05, 0.1))
    assert one > 0 and 2 < two / one < 8


def test_the_command(gans: Callable[..., Any], trained: Any) -> None:
    outcome = gans(f"evaluate {trained} --extractor random-vgg -n 70 --metrics path-length,fid --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["path-length"]["value"] > 0 and found["path-length"]["standard_error"] > 0
