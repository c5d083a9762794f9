"""Adversarial forms against closed forms, in float64."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from experiments.core import registry
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.bce_saturating import SaturatingBinaryCrossEntropy
from losses.adversarial.hinge import Hinge
from losses.adversarial.lsgan import LeastSquares
from losses.adversarial.relativistic import Relativistic
from losses.adversarial.wgan import Wasserstein
from losses.core.adversarial import Adversarial

FORMS = registry.names("form")

# Two distributions on three points, as batches in which each point stands as often as it is likely.
REAL_POINTS, FAKE_POINTS = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 2, 2])
REAL_DENSITY = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
FAKE_DENSITY = torch.tensor([0.25, 0.25, 0.5], dtype=torch.float64)
MIXTURE = (REAL_DENSITY + FAKE_DENSITY) / 2
JENSEN_SHANNON = sum((p * (p / MIXTURE).log()).sum().item() for p in (REAL_DENSITY, FAKE_DENSITY)) / 2


def minimum(form: Adversarial, critic: Tensor) -> float:
    """The critic's loss at these logits of the three points, which must be a minimum."""
    critic = critic.requires_grad_(True)
    loss = form.critic(critic[REAL_POINTS], critic[FAKE_POINTS])
    loss.backward()
    assert critic.grad is not None
    assert critic.grad.abs().max() < 1e-15
    for point in range(3):
        for offset in (-0.1, 0.1):
            other = critic.detach().clone()
            other[point] += offset
            assert form.critic(other[REAL_POINTS], other[FAKE_POINTS]) > loss
    return loss.item()


@pytest.mark.parametrize("form", [BinaryCrossEntropy(), SaturatingBinaryCrossEntropy()])
def test_bce_critic_is_optimal_at_the_log_ratio_of_the_densities(form: Adversarial) -> None:
    loss = minimum(form, (REAL_DENSITY / FAKE_DENSITY).log())
    assert loss == pytest.approx(2 * math.log(2) - 2 * JENSEN_SHANNON, abs=1e-14)


def test_least_squares_critic_is_optimal_at_the_share_of_reals() -> None:
    """`p / (p + q)`, where the loss is `½ Σ pq / (p + q)`."""
    total = REAL_DENSITY + FAKE_DENSITY
    loss = minimum(LeastSquares(), REAL_DENSITY / total)
    assert loss == pytest.approx((REAL_DENSITY * FAKE_DENSITY / total).sum().item() / 2, abs=1e-15)


def test_least_squares_has_the_papers_labels() -> None:
    """a = 0, b = 1, c = 1, each with its ½."""
    real, fake = torch.tensor([3.0], dtype=torch.float64), torch.tensor([5.0], dtype=torch.float64)
    assert LeastSquares().critic(real, fake).item() == (3 - 1) ** 2 / 2 + 5**2 / 2
    assert LeastSquares().generator(fake, None).item() == (5 - 1) ** 2 / 2


def test_hinge_critic_is_optimal_at_the_sign() -> None:
    """There its loss is `2 Σ min(p, q)`: 2 (1 − total variation)."""
    critic = torch.tensor([1.0, 0.3, -1.0], dtype=torch.float64)  # at equal densities anything in [−1, 1]
    loss = Hinge().critic(critic[REAL_POINTS], critic[FAKE_POINTS]).item()
    assert loss == pytest.approx(2 * torch.minimum(REAL_DENSITY, FAKE_DENSITY).sum().item(), abs=1e-15)
    for point in (0, 2):
        for offset in (-0.1, 0.1):
            other = critic.clone()
            other[point] += offset
            assert Hinge().critic(other[REAL_POINTS], other[FAKE_POINTS]).item() > loss + 0.02


def test_hinge_learns_nothing_beyond_the_margin_and_its_generator_is_linear() -> None:
    real = torch.tensor([1.5, 0.5], dtype=torch.float64, requires_grad=True)
    fake = torch.tensor([-1.5, -0.5, 4.0], dtype=torch.float64, requires_grad=True)
    slopes = torch.autograd.grad(Hinge().critic(real, fake), (real, fake))
    assert slopes[0].tolist() == [0.0, -0.5]
    assert slopes[1].tolist() == pytest.approx([0.0, 1 / 3, 1 / 3])
    (pull,) = torch.autograd.grad(Hinge().generator(fake, None), fake)
    assert pull.tolist() == pytest.approx([-1 / 3] * 3)


def test_relativistic_critic_is_optimal_at_the_log_ratio_over_all_pairs() -> None:
    """Each real with each fake: the critic is `log p − log q` up to a constant."""
    pairs = torch.cartesian_prod(REAL_POINTS, FAKE_POINTS)
    critic = (REAL_DENSITY / FAKE_DENSITY).log().requires_grad_(True)
    Relativistic().critic(critic[pairs[:, 0]], critic[pairs[:, 1]]).backward()
    assert critic.grad is not None
    assert critic.grad.abs().max() < 1e-15


def test_relativistic_pairs_each_real_with_one_fake_and_the_generator_swaps_them() -> None:
    real = torch.tensor([2.0, -1.0], dtype=torch.float64)
    fake = torch.tensor([0.5, 3.0], dtype=torch.float64)
    softplus = [math.log1p(math.exp(-d)) for d in (1.5, -4.0)]
    assert Relativistic().critic(real, fake).item() == pytest.approx(sum(softplus) / 2, rel=1e-14)
    assert Relativistic().generator(fake, real).item() == Relativistic().critic(fake, real).item()
    shifted = Relativistic().critic(real + 7, fake + 7).item()
    assert shifted == pytest.approx(sum(softplus) / 2, rel=1e-14), "only differences count"


def test_bce_generator_does_not_saturate_and_the_minimax_form_does() -> None:
    """[21] Where the critic is sure, log(1 − σ) has slope e⁻³⁰ and −log σ slope −1."""
    value = {"bce": (30.0 + math.log1p(math.exp(-30))), "saturating": -math.log1p(math.exp(-30))}
    slope = {"bce": -1.0, "saturating": -math.exp(-30.0)}
    forms = {"bce": BinaryCrossEntropy(), "saturating": SaturatingBinaryCrossEntropy()}
    for name, form in forms.items():
        logits = torch.tensor([-30.0], dtype=torch.float64, requires_grad=True)
        loss = form.generator(logits, None)
        loss.backward()
        assert loss.item() == pytest.approx(value[name], rel=1e-12)
        assert logits.grad is not None
        assert logits.grad[0].item() == pytest.approx(slope[name], rel=1e-9)


def test_bce_saturating_is_its_critics_loss_turned_round() -> None:
    """The minimax game of equation 1: the generator maximises the critic's term for its samples."""
    form, fake = SaturatingBinaryCrossEntropy(), torch.tensor([0.4, -2.0], dtype=torch.float64)
    assert form.generator(fake, None).item() == -form.fake_loss(fake).mean().item()


def test_wasserstein_is_the_difference_of_means() -> None:
    real = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    fake = torch.tensor([0.5, -2.5], dtype=torch.float64)
    assert Wasserstein().critic(real, fake).item() == -1.0 - 3.0
    assert Wasserstein().generator(fake, None).item() == 1.0


@pytest.mark.parametrize("name", FORMS)
def test_players_pull_logits_in_opposite_directions(name: str) -> None:
    form = registry.load("form", name)()
    real = torch.full((4,), 0.25, dtype=torch.float64, requires_grad=True)
    fake = torch.full((4,), 0.25, dtype=torch.float64, requires_grad=True)
    real_slope, fake_slope = torch.autograd.grad(form.critic(real, fake), (real, fake))
    assert (real_slope < 0).all(), "the critic must raise the logits of reals"
    assert (fake_slope > 0).all(), "the critic must lower the logits of fakes"
    (pull,) = torch.autograd.grad(form.generator(fake, real.detach()), fake)
    assert (pull < 0).all(), "the generator must raise the logits of its fakes"


@pytest.mark.parametrize("name", FORMS)
def test_only_relativistic_forms_look_at_reals_in_the_generators_term(name: str) -> None:
    form = registry.load("form", name)()
    fake = torch.tensor([0.3, -0.7], dtype=torch.float64)
    terms = {form.generator(fake, torch.full((2,), at, dtype=torch.float64)).item() for at in (-1.0, 2.0)}
    assert (len(terms) > 1) == form.relativistic


@pytest.mark.parametrize("name", FORMS)
def test_terms_are_means_over_the_batch(name: str) -> None:
    """A batch twice over has the same value, so that learning rates do not depend on its size."""
    form = registry.load("form", name)()
    real, fake = torch.randn(2, 5, dtype=torch.float64)
    terms: list[Callable[[Tensor, Tensor], Tensor]] = [form.critic, lambda r, f: form.generator(f, r)]
    for term in terms:
        assert term(real.repeat(2), fake.repeat(2)).item() == pytest.approx(term(real, fake).item())


@pytest.mark.parametrize("name", FORMS)
def test_sure_critics_give_finite_terms_and_slopes(name: str) -> None:
    form = registry.load("form", name)()
    for sign in (1.0, -1.0):
        real = torch.tensor([sign * 1e4], requires_grad=True)
        fake = torch.tensor([-sign * 1e4], requires_grad=True)
        for term in (form.critic(real, fake), form.generator(fake, real)):
            assert term.isfinite()
            slopes = torch.autograd.grad(term, (real, fake), allow_unused=True)
            assert all(slope.isfinite().all() for slope in slopes if slope is not None)
