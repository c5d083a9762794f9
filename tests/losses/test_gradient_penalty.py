"""Gradient penalties against closed forms, in float64. Numbers in brackets are those of the known traps."""

from collections.abc import Callable

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from experiments.core import registry
from losses.core.gradient_penalty import GradientPenalty, squared_gradient_norm
from losses.core.penalty_norm import PenaltyNorm
from losses.core.points import Points
from losses.core.schedule import ScheduledValue
from losses.penalties.dragan import Dragan
from losses.penalties.dragan_gaussian import DraganGaussian
from losses.penalties.interpolates import Interpolates
from losses.penalties.real import Real
from losses.penalty_norms.one import OneCentred
from losses.penalty_norms.zero import ZeroCentred
from losses.schedules.linear import Linear as LinearSchedule

PLACES, NORMS = registry.names("penalty"), registry.names("penalty-norm")
SHAPES = [(6, 2), (6, 3, 4, 5)]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


class Linear(nn.Module):
    """`C(x) = ⟨a, x⟩`, whose gradient is a everywhere."""

    def __init__(self, slope: Tensor) -> None:
        super().__init__()
        self.slope = nn.Parameter(slope)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.slope


def norm_of(name: str) -> PenaltyNorm:
    """The penalty norm of that name in the catalogue."""
    norm: PenaltyNorm = registry.load("penalty-norm", name)()
    return norm


CLOSED_FORMS: dict[str, Callable[[float], float]] = {
    "one": lambda length: (length - 1) ** 2,
    "zero": lambda length: length**2 / 2,
    "one-sided": lambda length: max(length - 1, 0) ** 2,
}


@pytest.mark.parametrize("norm", CLOSED_FORMS)
def test_norms_in_closed_form(norm: str) -> None:
    lengths = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)
    expected = [CLOSED_FORMS[norm](length) for length in lengths.tolist()]
    assert norm_of(norm)(lengths.square()).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-18)


@pytest.mark.parametrize("norm", NORMS)
def test_norms_are_of_each_gradient_by_itself(norm: str) -> None:
    squared = draw(5).square()
    alone = torch.cat([norm_of(norm)(each[None]) for each in squared])
    torch.testing.assert_close(norm_of(norm)(squared), alone, rtol=1e-14, atol=0)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("length", [0.3, 2.5])
def test_linear_critic(place: str, norm: str, shape: tuple[int, ...], length: float) -> None:
    """[2, 5] The norm is of each sample's gradient over all its pixels, and of the logit."""
    torch.manual_seed(0)
    slope = draw(draw(*shape)[0].numel())
    critic = Linear(slope / slope.norm() * length)
    penalty = GradientPenalty(registry.load("penalty", place)(), norm_of(norm), weight=7.0)
    value, gradient_norm = penalty(critic, draw(*shape), draw(*shape))
    assert gradient_norm.item() == pytest.approx(length, rel=1e-12)
    expected = norm_of(norm)(torch.tensor([length], dtype=torch.float64).square()).item()
    assert value.item() == pytest.approx(7.0 * CLOSED_FORMS.get(norm, lambda _: expected)(length), rel=1e-12)


def test_each_sample_has_its_own_norm() -> None:
    """[2] `C(x) = ½ ‖x‖²` has gradient x: the mean of the penalties is not the penalty of a mean."""
    x = torch.tensor([[3.0, 4.0], [0.6, 0.8], [0.0, 2.0]], dtype=torch.float64)
    value, _ = GradientPenalty(Real(), OneCentred(), 10.0)(lambda s: s.square().sum(1) / 2, x, x)
    assert value.item() == pytest.approx(10.0 * (4.0**2 + 0.0 + 1.0**2) / 3, rel=1e-12)


@pytest.mark.parametrize("norm", CLOSED_FORMS)
def test_gradient_in_the_critics_parameters(norm: str) -> None:
    """The penalty must be differentiable: d/da λ(‖a‖ − 1)² = 2λ(1 − 1/‖a‖) a, d/da ½‖a‖² = a."""
    slope = torch.tensor([3.0, 4.0], dtype=torch.float64)
    critic = Linear(slope)
    GradientPenalty(Interpolates(), norm_of(norm), 10.0)(critic, draw(5, 2), draw(5, 2)).value.backward()
    expected = {"one": 20 * (1 - 1 / 5) * slope, "zero": 10 * slope, "one-sided": 20 * (1 - 1 / 5) * slope}
    torch.testing.assert_close(critic.slope.grad, expected[norm], rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", [(4000, 2), (4000, 1, 2, 3)])
def test_interpolation_coefficient_is_one_uniform_number_for_each_sample(shape: tuple[int, ...]) -> None:
    """[3]"""
    torch.manual_seed(0)
    real, fake = draw(*shape), draw(*shape)
    epsilon = ((Interpolates().choose(real, fake) - fake) / (real - fake)).flatten(1)
    spread = epsilon.amax(1) - epsilon.amin(1)
    assert spread.median() < 1e-12, "one coefficient within a sample"
    assert kstest(epsilon.median(1).values.numpy(), "uniform").pvalue > 0.01, "its own for every sample"


@pytest.mark.parametrize("shape", [(2000, 64), (2000, 1, 8, 8)])
def test_dragan_points_are_those_of_the_authors_code(shape: tuple[int, ...]) -> None:
    """[6] `x + α · ½ std(x) · u`: one-sided noise for each number, one α for each sample."""
    torch.manual_seed(0)
    real = draw(*shape) * 3 + 1
    noise = (Dragan().choose(real, real) - real).flatten(1) / (0.5 * real.std(correction=0))
    assert noise.min() >= 0
    assert noise.max() < 1
    alpha = noise.mean(1) * 2  # the mean of u over a sample's 64 numbers is nearly a half
    assert kstest(alpha.numpy(), "uniform").statistic < 0.05, "α is uniform over samples"
    largest = noise[alpha > 0.9]
    assert kstest((largest / largest.amax(1, keepdim=True)).flatten().numpy(), "uniform").statistic < 0.05


def test_the_gaussian_variant_of_dragan_has_its_own_name() -> None:
    """[6]"""
    torch.manual_seed(0)
    real = draw(500, 3, 4, 4) * 3 + 1
    noise = (DraganGaussian().choose(real, real) - real).flatten() / real.std(correction=0)
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    assert kstest((noise / 0.5).numpy(), "norm").pvalue > 0.01


def test_a_penalty_is_annealed_along_a_cosine() -> None:
    critic, x = Linear(torch.tensor([3.0, 4.0], dtype=torch.float64)), draw(3, 2)
    penalty = GradientPenalty(Real(), ZeroCentred(), 2.0, anneal=0.1)
    values = [penalty(critic, x, x, progress).value.item() for progress in (0.0, 0.5, 1.0)]
    assert values == pytest.approx([25.0, 25.0 * 0.55, 2.5], rel=1e-12)
    assert penalty(critic, x, x).value.item() == values[0], "at the start, unless told"
    assert GradientPenalty(Real(), ZeroCentred(), 2.0)(critic, x, x, 0.9).value.item() == pytest.approx(25.0)


def test_a_weight_may_follow_a_schedule() -> None:
    """From 2 to 6 in a straight line, at `½‖∇C‖² = 12.5`; annealing multiplies it."""
    critic, x = Linear(torch.tensor([3.0, 4.0], dtype=torch.float64)), draw(3, 2)
    scheduled = ScheduledValue(2.0, 6.0, LinearSchedule())
    penalty = GradientPenalty(Real(), ZeroCentred(), scheduled)
    values = [penalty(critic, x, x, progress).value.item() for progress in (0.0, 0.25, 1.0)]
    assert values == pytest.approx([25.0, 37.5, 75.0], rel=1e-12)
    annealed = GradientPenalty(Real(), ZeroCentred(), scheduled, every=3, anneal=0.5)
    assert annealed.weight_at(0.5) == pytest.approx(4.0 * 0.75, rel=1e-12)
    assert annealed(critic, x, x, 0.5).value.item() == pytest.approx(3 * 4.0 * 0.75 * 12.5, rel=1e-12)


@pytest.mark.parametrize("place", PLACES)
def test_points_are_detached(place: str) -> None:
    """The penalty is the critic's business: no gradient reaches the generator through it."""
    real, fake = draw(4, 2), draw(4, 2).requires_grad_(True)
    points: Points = registry.load("penalty", place)()
    assert not points.choose(real, fake * 2).requires_grad


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flat_critic_gives_finite_gradients(norm: str, dtype: torch.dtype) -> None:
    """[7] The root's slope at 0 is infinite."""
    critic = Linear(torch.zeros(2, dtype=dtype))
    real = torch.randn(4, 2, dtype=dtype)
    GradientPenalty(Interpolates(), norm_of(norm), 10.0)(critic, real, -real).value.backward()
    assert critic.slope.grad is not None
    assert critic.slope.grad.isfinite().all()


@pytest.mark.parametrize("length", [1e-6, 1e-3, 1.0])
def test_floor_under_the_root_does_not_bias(length: float) -> None:
    """[7] A floor of 1e-12 outside the square, or 1e-8 inside the root, would show at these lengths."""
    critic = Linear(torch.tensor([length, 0.0], dtype=torch.float64))
    value, _ = GradientPenalty(Interpolates(), OneCentred(), 1.0)(critic, draw(3, 2), draw(3, 2))
    assert value.item() == pytest.approx((1 - length) ** 2, abs=1e-13)


def test_penalized_gradient_is_that_of_the_whole_network() -> None:
    """Against central differences, through a critic with curvature."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 1), nn.Flatten(0)).double()
    x, step = draw(4, 3), 1e-6
    squared = squared_gradient_norm(critic, x)
    for i in range(3):
        offset = torch.zeros(3, dtype=torch.float64)
        offset[i] = step
        slope = (critic(x + offset) - critic(x - offset)) / (2 * step)
        squared = squared - slope.square()
    assert squared.abs().max() < 1e-8


def test_lazy_penalty_has_the_same_expected_gradient() -> None:
    """Taken at every fourth update with four times the weight."""
    always, lazy = (GradientPenalty(Real(), ZeroCentred(), 2.0, every) for every in (1, 4))
    critic, x = Linear(torch.tensor([1.0, 2.0], dtype=torch.float64)), draw(3, 2)
    total = {
        penalty: sum(penalty(critic, x, x).value.item() for index in range(12) if penalty.due(index))
        for penalty in (always, lazy)
    }
    assert [index for index in range(12) if lazy.due(index)] == [0, 4, 8]
    assert total[lazy] == pytest.approx(total[always], rel=1e-12)
