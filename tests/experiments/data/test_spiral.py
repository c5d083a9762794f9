"""Spiral: the formula that is stated, the density that is known."""

import math

import pytest
import torch

from experiments.data.spiral import Spiral
from metrics.modes import Modes

SIGMA = Spiral().options.sigma


def test_points_lie_on_two_arms_that_mirror_each_other() -> None:
    data = Spiral().open(None, None, "auto")
    points, labels = data.fetch(torch.arange(len(data))), data.labels
    assert points.dtype == torch.float32
    assert data.sample_shape == (2,)
    assert labels is not None
    assert labels.dtype == torch.int64
    assert labels.bincount().tolist() == [50_000] * 2
    assert len(data.classes) == 2
    for arm, sign in ((0, 1), (1, -1)):
        own = sign * points[labels == arm].double()
        # The nearest point of r = θ / (5π/2), searched for among many; noise off the curve has σ 0.02.
        theta = torch.linspace(0.4 * math.pi, 2.6 * math.pi, 4000, dtype=torch.float64)
        curve = (theta / (2.5 * math.pi))[:, None] * torch.stack([theta.cos(), theta.sin()], 1)
        distances, nearest = torch.cdist(own[:5000], curve).min(1)
        assert (distances**2).mean().sqrt().item() == pytest.approx(0.02, rel=0.05)
        assert theta[nearest].min().item() == pytest.approx(math.pi / 2, abs=0.3)
        assert theta[nearest].max().item() == pytest.approx(2.5 * math.pi, abs=0.1)
        counts = theta[nearest].square().histc(8, (math.pi / 2) ** 2, (2.5 * math.pi) ** 2)
        assert counts.min() > 0.75 * counts.mean()  # θ² is even, and so nearly is the length


def test_density_is_the_mixture_of_its_centres() -> None:
    """The mean log-likelihood of the data under the mixture is its entropy, as fresh samples tell it."""
    data = Spiral().open(None, None, "auto")
    fresh = torch.Generator().manual_seed(1)
    drawn = Spiral.centres[torch.randint(200, (20_000,), generator=fresh)]
    drawn = drawn + SIGMA * torch.randn(20_000, 2, generator=fresh)

    def likelihood(points: torch.Tensor) -> float:
        exponents = -((torch.cdist(points.double(), Spiral.centres.double()) / SIGMA) ** 2) / 2
        return (exponents.logsumexp(1) - math.log(200 * 2 * math.pi * SIGMA**2)).mean().item()

    assert likelihood(data.samples[:20_000]) == pytest.approx(likelihood(drawn), abs=0.03)


def test_density_hardly_changes_along_an_arm() -> None:
    """No separate modes: between two centres it is as dense as on them."""
    arm = Spiral.centres[::2].double()
    between = (arm[1:] + arm[:-1]) / 2
    on, off = (torch.exp(-(torch.cdist(x, arm) ** 2) / (2 * SIGMA**2)).sum(1) for x in (arm, between))
    assert (off[2:-2] / on[2:-3]).sub(1).abs().max() < 0.1


def test_modes_are_judged_as_those_of_other_mixtures() -> None:
    points = Spiral().open(None, None, "auto").samples
    whole, one_arm, blur = (Modes(Spiral.centres, SIGMA) for _ in range(3))
    whole.update(points[:10_000])
    one_arm.update(points[:20_000:2])
    blur.update(points[:10_000] + 0.1 * torch.randn(10_000, 2, generator=torch.Generator().manual_seed(0)))
    assert whole.compute()["covered"] == 200
    assert whole.compute()["high_quality"] > 0.985
    assert one_arm.compute()["covered"] == 100
    assert blur.compute()["high_quality"] < 0.6


def test_points_are_fixed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    first = Spiral().open(None, None, "auto").samples
    drawn = torch.rand(1)
    torch.manual_seed(2)
    assert torch.equal(Spiral().open(None, None, "auto").samples, first)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn)


def test_an_argument_is_refused() -> None:
    with pytest.raises(ValueError, match="takes no argument, but got '3'"):
        Spiral("3").native()
