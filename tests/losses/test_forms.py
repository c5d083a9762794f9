"""Adversarial forms against closed forms, in float64."""

import math

import pytest
import torch

from experiments import catalogue
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.wgan import Wasserstein

FORMS = catalogue.names("form")

# Two distributions on three points, as batches in which each point stands as often as it is likely.
REAL_POINTS, FAKE_POINTS = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 2, 2])
REAL_DENSITY = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
FAKE_DENSITY = torch.tensor([0.25, 0.25, 0.5], dtype=torch.float64)


def test_bce_critic_is_optimal_at_the_log_ratio_of_the_densities() -> None:
    critic = (REAL_DENSITY / FAKE_DENSITY).log().requires_grad_(True)
    loss = BinaryCrossEntropy().critic(critic[REAL_POINTS], critic[FAKE_POINTS])
    loss.backward()
    assert critic.grad is not None
    assert critic.grad.abs().max() < 1e-15
    mixture = (REAL_DENSITY + FAKE_DENSITY) / 2
    kl = [(p * (p / mixture).log()).sum() for p in (REAL_DENSITY, FAKE_DENSITY)]
    jensen_shannon = (kl[0] + kl[1]) / 2
    assert loss.item() == pytest.approx(2 * math.log(2) - 2 * jensen_shannon.item(), abs=1e-14)


def test_bce_generator_does_not_saturate() -> None:
    logits = torch.tensor([-30.0, 0.0, 30.0], dtype=torch.float64, requires_grad=True)
    loss = BinaryCrossEntropy().generator(logits, None)
    loss.backward()
    expected = [(30.0 + math.log1p(math.exp(-30))) / 3, math.log(2) / 3, math.log1p(math.exp(-30)) / 3]
    assert loss.item() == pytest.approx(sum(expected), abs=1e-14)
    assert logits.grad is not None
    # Where the critic is sure, the saturating form log(1 − σ) has slope e⁻³⁰; this one has slope −1.
    assert logits.grad[0].item() == pytest.approx(-1 / 3, abs=1e-12)


def test_wasserstein_is_the_difference_of_means() -> None:
    real = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    fake = torch.tensor([0.5, -2.5], dtype=torch.float64)
    assert Wasserstein().critic(real, fake).item() == -1.0 - 3.0
    assert Wasserstein().generator(fake, None).item() == 1.0


@pytest.mark.parametrize("name", FORMS)
def test_players_pull_logits_in_opposite_directions(name: str) -> None:
    form = catalogue.load("form", name)()
    real = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    fake = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    real_slope, fake_slope = torch.autograd.grad(form.critic(real, fake), (real, fake))
    assert (real_slope < 0).all(), "the critic must raise the logits of reals"
    assert (fake_slope > 0).all(), "the critic must lower the logits of fakes"
    (pull,) = torch.autograd.grad(form.generator(fake, real.detach()), fake)
    assert (pull < 0).all(), "the generator must raise the logits of its fakes"


@pytest.mark.parametrize("name", FORMS)
def test_only_relativistic_forms_look_at_reals_in_the_generators_term(name: str) -> None:
    form = catalogue.load("form", name)()
    fake = torch.tensor([0.3, -0.7], dtype=torch.float64)
    terms = {form.generator(fake, torch.full((2,), at, dtype=torch.float64)).item() for at in (-1.0, 2.0)}
    assert (len(terms) > 1) == form.relativistic


@pytest.mark.parametrize("name", FORMS)
def test_sure_critics_give_finite_terms_and_slopes(name: str) -> None:
    form = catalogue.load("form", name)()
    for sign in (1.0, -1.0):
        real = torch.tensor([sign * 1e4], requires_grad=True)
        fake = torch.tensor([-sign * 1e4], requires_grad=True)
        for term in (form.critic(real, fake), form.generator(fake, real)):
            assert term.isfinite()
            slopes = torch.autograd.grad(term, (real, fake), allow_unused=True)
            assert all(slope.isfinite().all() for slope in slopes if slope is not None)
