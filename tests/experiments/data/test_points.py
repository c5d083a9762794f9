"""Points: the mixtures are those of the papers, within what chance allows."""

import math

import pytest
import torch

from experiments.data.core.dataset import Source
from experiments.data.grid25 import Grid25
from experiments.data.ring8 import Ring8

CASES = [(Ring8(), 8, 0.01), (Grid25(), 25, 0.05)]


@pytest.mark.parametrize(("source", "modes", "sigma"), CASES)
def test_every_mode_has_its_share_centre_and_spread(source: Ring8 | Grid25, modes: int, sigma: float) -> None:
    data = source.open(None, None, "crop")
    points, labels = data.fetch(torch.arange(len(data))), data.labels
    assert labels is not None
    assert source.kind == "points"
    assert source.options.sigma == sigma
    assert points.dtype == torch.float32
    assert data.sample_shape == (2,)
    assert labels.bincount().tolist() == [100_000 // modes] * modes
    assert len(data.classes) == modes
    n = len(points) // modes
    for mode in range(modes):
        own = points[labels == mode].double()
        assert (own.mean(0) - source.centres[mode]).abs().max() < 4.5 * sigma / math.sqrt(n)
        assert (own.std(0) / sigma - 1).abs().max() < 4.5 / math.sqrt(2 * n)
        assert abs(own.T.corrcoef()[0, 1]) < 4.5 / math.sqrt(n)  # round


def test_centres_are_those_of_the_papers() -> None:
    ring = Ring8.centres
    torch.testing.assert_close(ring.norm(dim=1), torch.ones(8))
    torch.testing.assert_close(
        ring.roll(-1, 0), ring @ torch.tensor([[1.0, 1.0], [-1.0, 1.0]]) / math.sqrt(2)
    )
    grid = {tuple(centre) for centre in Grid25.centres.tolist()}
    assert grid == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}


@pytest.mark.parametrize(("source", "modes", "sigma"), CASES)
def test_high_quality_share_is_that_of_a_gaussian(source: Ring8 | Grid25, modes: int, sigma: float) -> None:
    """Within 3 σ of a mode lie 1 − exp(−9/2) of a round Gaussian in the plane."""
    del modes
    points = source.open(None, None, "crop").fetch(torch.arange(100_000))
    share = (torch.cdist(points, source.centres).amin(1) < 3 * sigma).double().mean().item()
    assert share == pytest.approx(1 - math.exp(-4.5), abs=0.002)


@pytest.mark.parametrize("source", [Ring8, Grid25])
def test_points_are_fixed_and_leave_the_global_generator_alone(source: type[Source]) -> None:
    torch.manual_seed(1)
    first = source().open(None, None, "crop").fetch(torch.arange(50))
    drawn = torch.rand(1)
    torch.manual_seed(2)
    assert torch.equal(source().open(None, None, "crop").fetch(torch.arange(50)), first)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn)


def test_any_stretch_of_points_is_balanced() -> None:
    labels = Ring8().open(None, None, "crop").labels
    assert labels is not None
    assert labels[800:816].bincount().tolist() == [2] * 8


@pytest.mark.parametrize("source", [Ring8, Grid25])
def test_an_argument_is_refused(source: type[Source]) -> None:
    with pytest.raises(ValueError, match="takes no argument, but got '5'"):
        source("5").native()
