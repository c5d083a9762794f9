"""Regularizers do what their papers say, and refuse what has no meaning."""

import math

import pytest
import torch
from torch import nn

from experiments import catalogue
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.wgan import Wasserstein
from losses.regularizers import Constraint, Relabel, View
from losses.regularizers.instance_noise import InstanceNoise
from losses.regularizers.label_smoothing import LabelSmoothing
from losses.regularizers.weight_clip import WeightClip


@pytest.mark.parametrize("name", catalogue.names("regularizer"))
def test_is_of_exactly_one_kind(name: str) -> None:
    bases = [
        kind for kind in (Constraint, View, Relabel) if issubclass(catalogue.load("regularizer", name), kind)
    ]
    assert len(bases) == 1


def test_label_smoothing_is_one_sided() -> None:
    """[11] The critic's real target is 0.9; its fake target and the generator's target stay."""
    smooth, plain = LabelSmoothing(0.9).wrap(BinaryCrossEntropy()), BinaryCrossEntropy()
    real = torch.tensor([0.4, -1.3], dtype=torch.float64)
    fake = torch.tensor([0.7, 2.0], dtype=torch.float64)
    targets = torch.full_like(real, 0.9)
    reference = nn.functional.binary_cross_entropy_with_logits(real, targets) + plain.fake(fake).mean()
    assert smooth.critic(real, fake).item() == pytest.approx(reference.item(), rel=1e-14)
    assert smooth.generator(fake, None).item() == plain.generator(fake, None).item()


def test_label_smoothing_moves_the_optimum_of_reals() -> None:
    """Where only reals are, the optimal critic says log(0.9 / 0.1), not infinity."""
    logit = torch.tensor([math.log(9.0)], dtype=torch.float64, requires_grad=True)
    smooth = LabelSmoothing(0.9).wrap(BinaryCrossEntropy())
    (slope,) = torch.autograd.grad(smooth.real(logit).mean(), logit)  # type: ignore[attr-defined]
    assert abs(slope.item()) < 1e-15


def test_label_smoothing_has_no_meaning_without_labels() -> None:
    with pytest.raises(ValueError, match="no meaning for wgan"):
        LabelSmoothing(0.9).wrap(Wasserstein())


def test_weight_clip_clips_every_parameter() -> None:
    critic = nn.Linear(50, 3)
    nn.init.normal_(critic.weight)
    nn.init.constant_(critic.bias, -4.0)
    before = critic.weight.detach().clone()
    WeightClip(0.01).enforce(critic)
    torch.testing.assert_close(critic.weight, before.clamp(-0.01, 0.01), rtol=0, atol=0)
    assert (critic.bias == -0.01).all()


def test_instance_noise_has_its_deviation() -> None:
    torch.manual_seed(0)
    noise = InstanceNoise(0.3).see(torch.full((20000,), 5.0, dtype=torch.float64)) - 5.0
    assert noise.std().item() == pytest.approx(0.3, rel=0.03)
    assert abs(noise.mean().item()) < 0.01


@pytest.mark.parametrize("kind", [WeightClip, InstanceNoise, LabelSmoothing])
def test_impossible_strengths_are_named(kind: type) -> None:
    with pytest.raises(ValueError, match="-1"):
        kind(-1.0)
