"""The conversions of docs/glossary.md, by the formulas of the other projects."""

import re

import pytest
import torch
from torch import Tensor, nn

from gans.core.ema import EmaOptions, ExponentialMovingAverage
from losses.core.gradient_penalty import GradientPenalty
from losses.penalties.interpolates import Interpolates
from losses.penalties.real import Real
from losses.penalty_norms.one import OneCentred
from losses.penalty_norms.zero import ZeroCentred
from tests.pages.reading import ROOT

PAGE = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (0\.9+) \| (\d+) \| (\d+) \| ([\d.]+) \|$", PAGE, re.M)


@pytest.mark.parametrize(("decay", "batch", "n_critic", "half_life"), ROWS)
def test_half_lives_of_averages(decay: str, batch: str, n_critic: str, half_life: str) -> None:
    """After one step with these images, the average keeps as much as another project's decay would."""
    network = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(network.weight)
    average = ExponentialMovingAverage(network, float(half_life), EmaOptions(ramp_up=None))
    nn.init.ones_(network.weight)
    images = int(batch) * int(n_critic)
    average.follow(images, images)
    (weight,) = average.average.parameters()
    assert 1 - weight.item() == pytest.approx(float(decay), abs=(1 - float(decay)) * 6e-3)


def test_there_are_half_lives() -> None:
    assert len(ROWS) >= 5


def _critic(x: Tensor) -> Tensor:
    """A critic with another gradient at every image."""
    return (x.flatten(1) ** 3).sum(1) / 7 + x.flatten(1).prod(1)


def _squared(images: Tensor) -> Tensor:
    """The squared norm of the critic's gradient at every image, as the projects compute it."""
    images = images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(_critic(images).sum(), images, create_graph=True)
    return gradient.square().sum([1, 2, 3])


@pytest.fixture
def real() -> Tensor:
    return torch.rand(5, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(
    ("theirs", "every", "weight"),
    [
        (lambda squared: 16 * 6.0 / 2 * squared.mean(), 16, 6.0),  # NVlabs: --gamma 6, every 16th step
        (lambda squared: (squared / 2).mean() * 16 * 6.0, 16, 6.0),  # StudioGAN: d_reg_interval, r1_lambda
        (lambda squared: 6.0 * squared.mean(), 1, 12.0),  # GAN_stability: reg_param, without ½
    ],
)
def test_weights_of_r1(theirs: object, every: int, weight: float, real: Tensor) -> None:
    assert callable(theirs)
    ours = GradientPenalty(Real(), ZeroCentred(), weight, every)(_critic, real, real).value
    assert ours.item() == pytest.approx(theirs(_squared(real)).item(), rel=1e-12)


def test_lucidrains_penalty_has_its_target_at_one_half(real: Tensor) -> None:
    """Of images in [0, 1], a gradient is twice as long; every fourth step it weighs 10, not 40."""
    scaled = ((real + 1) / 2).requires_grad_(True)
    (gradient,) = torch.autograd.grad(_critic(scaled * 2 - 1).sum(), scaled)
    theirs = 10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    lengths = _squared(real).sqrt()
    assert theirs.item() == pytest.approx((10 * 4 * (lengths - 0.5).square().mean()).item(), rel=1e-12)
    ours = GradientPenalty(Real(), OneCentred(), 2.5, 4)(_critic, real, real).value
    assert ours.item() == pytest.approx((10 * (lengths - 1).square().mean()).item(), rel=1e-9)


def test_weights_of_wgan_gp(real: Tensor) -> None:
    """The norm of each sample by itself, as of StudioGAN, mimicry and GAN_stability."""
    ours = GradientPenalty(Interpolates(), OneCentred(), 10.0)(_critic, real, real).value
    assert ours.item() == pytest.approx((10 * (_squared(real).sqrt() - 1).square().mean()).item(), rel=1e-9)
