"""Regularizers do what their papers say, and refuse what has no meaning."""

import math

import pytest
import torch
from torch import nn

from experiments.core import registry
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.lsgan import LeastSquares
from losses.core.adaptive_probability import AdaptiveProbability
from losses.core.adversarial import Adversarial, Labelled
from losses.core.regularizer import Constraint, Relabel, Term, View
from losses.regularizers.drift import Drift
from losses.regularizers.instance_noise import InstanceNoise
from losses.regularizers.label_flip import LabelFlip
from losses.regularizers.label_smoothing import LabelSmoothing
from losses.regularizers.two_sided_label_smoothing import TwoSidedLabelSmoothing
from losses.regularizers.weight_clip import WeightClip

NAMES = registry.names("regularizer")
STRENGTHS = {"label-smoothing": 0.9, "two-sided-label-smoothing": 0.9, "label-flip": 0.1, "apa": 1.0}


@pytest.mark.parametrize("name", NAMES)
def test_is_of_exactly_one_kind(name: str) -> None:
    kinds = (Constraint, View, Relabel, Term)
    bases = [kind for kind in kinds if issubclass(registry.load("regularizer", name), kind)]
    assert len(bases) == 1


def test_drift_pulls_the_reals_logits_to_zero() -> None:
    real = torch.tensor([3.0, -1.0], dtype=torch.float64, requires_grad=True)
    value = Drift(0.001).value(real, torch.tensor([100.0, 100.0]))
    assert value.item() == pytest.approx(0.001 * (9 + 1) / 2, rel=1e-14)
    (slope,) = torch.autograd.grad(value, real)
    assert slope.tolist() == pytest.approx([0.003, -0.001], rel=1e-14)


def test_label_smoothing_is_one_sided() -> None:
    """[11] The critic's real target is 0.9; its fake target and the generator's target stay."""
    smooth, plain = LabelSmoothing(0.9).wrap(BinaryCrossEntropy()), BinaryCrossEntropy()
    real = torch.tensor([0.4, -1.3], dtype=torch.float64)
    fake = torch.tensor([0.7, 2.0], dtype=torch.float64)
    targets = torch.full_like(real, 0.9)
    reference = nn.functional.binary_cross_entropy_with_logits(real, targets) + plain.fake_loss(fake).mean()
    assert smooth.critic(real, fake).item() == pytest.approx(reference.item(), rel=1e-14)
    assert smooth.generator(fake, None).item() == plain.generator(fake, None).item()


def test_label_smoothing_moves_the_optimum_of_reals() -> None:
    """Where only reals are, the optimal critic says log(0.9 / 0.1), not infinity."""
    logit = torch.tensor([math.log(9.0)], dtype=torch.float64, requires_grad=True)
    smooth = LabelSmoothing(0.9).wrap(BinaryCrossEntropy())
    (slope,) = torch.autograd.grad(smooth.real_loss(logit).mean(), logit)  # type: ignore[attr-defined]
    assert abs(slope.item()) < 1e-15


def test_two_sided_smoothing_moves_both_targets_of_the_critic_only() -> None:
    smooth, plain = TwoSidedLabelSmoothing(0.8).wrap(BinaryCrossEntropy()), BinaryCrossEntropy()
    real = torch.tensor([0.4, -1.3], dtype=torch.float64)
    fake = torch.tensor([0.7, 2.0], dtype=torch.float64)
    reference = nn.functional.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.8))
    reference += nn.functional.binary_cross_entropy_with_logits(fake, torch.full_like(fake, 0.2))
    assert smooth.critic(real, fake).item() == pytest.approx(reference.item(), rel=1e-14)
    assert smooth.generator(fake, None).item() == plain.generator(fake, None).item()


@pytest.mark.parametrize("between", [[], [LabelFlip(0.1)]])
def test_labels_are_smoothed_once(between: list[LabelFlip]) -> None:
    """Else targets of 0.9 and 0.9 would make 0.81."""
    form: Adversarial = LabelSmoothing(0.9).wrap(BinaryCrossEntropy())
    for regularizer in between:
        form = regularizer.wrap(form)
    with pytest.raises(ValueError, match="two-sided-label-smoothing: the labels are smoothed already"):
        TwoSidedLabelSmoothing(0.9).wrap(form)


def test_smoothed_least_squares_has_the_smoothed_target() -> None:
    """The expectation over labels and a label in between differ by a constant: `½(C − α)²` has this slope."""
    logits = torch.tensor([0.3, 2.0], dtype=torch.float64, requires_grad=True)
    smooth = LabelSmoothing(0.9).wrap(LeastSquares())
    (slope,) = torch.autograd.grad(smooth.real_loss(logits).sum(), logits)  # type: ignore[attr-defined]
    torch.testing.assert_close(slope, logits.detach() - 0.9, rtol=1e-14, atol=1e-14)


def test_flipped_labels_are_a_share_of_both_sides_drawn_anew() -> None:
    """With p = 0.25, a quarter of the reals is judged as fake, and the other way round."""
    torch.manual_seed(0)
    form, flipped = BinaryCrossEntropy(), LabelFlip(0.25).wrap(BinaryCrossEntropy())
    assert isinstance(flipped, Labelled)
    logits = torch.linspace(0.5, 3.0, 20000, dtype=torch.float64)
    for told, other, judged in (
        (form.real_loss(logits), form.fake_loss(logits), flipped.real_loss(logits)),
        (form.fake_loss(logits), form.real_loss(logits), flipped.fake_loss(logits)),
    ):
        assert judged.shape == told.shape, "one label for each sample"
        assert ((judged == told) | (judged == other)).all()
        assert (judged == other).double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(flipped.real_loss(logits), flipped.real_loss(logits))
    assert torch.equal(flipped.generator_loss(logits), form.generator_loss(logits)), (
        "the generator's target stays"
    )


def test_all_patches_of_a_sample_have_its_label() -> None:
    torch.manual_seed(0)
    form, logits = LeastSquares(), torch.zeros(4000, 2, 3)
    flipped = LabelFlip(0.25).wrap(form)
    assert isinstance(flipped, Labelled)
    changed = flipped.real_loss(logits) != form.real_loss(logits)
    assert changed.shape == logits.shape
    assert torch.equal(changed.flatten(1).all(dim=1), changed.flatten(1).any(dim=1))
    assert changed[:, 0, 0].float().mean().item() == pytest.approx(0.25, abs=4 * 0.007)


@pytest.mark.parametrize("name", [n for n in NAMES if issubclass(registry.load("regularizer", n), Relabel)])
@pytest.mark.parametrize("form", registry.names("form"))
def test_labels_are_changed_where_there_are_any_and_refused_elsewhere(name: str, form: str) -> None:
    relabel, adversarial = (
        registry.load("regularizer", name)(STRENGTHS[name]),
        registry.load("form", form)(),
    )
    if not isinstance(adversarial, Labelled):
        with pytest.raises(ValueError, match=f"{name} has no meaning for {form}"):
            relabel.wrap(adversarial)
        return
    wrapped = relabel.wrap(adversarial)
    if isinstance(relabel.state, AdaptiveProbability):
        relabel.state.value = 1.0
    real, fake = torch.full((2, 64), 0.25, dtype=torch.float64)
    torch.manual_seed(0)
    assert wrapped.critic(real, -fake).item() != adversarial.critic(real, -fake).item()
    assert wrapped.generator(fake, real).item() == adversarial.generator(fake, real).item()


def test_weight_clip_clips_every_parameter() -> None:
    critic = nn.Linear(50, 3)
    nn.init.normal_(critic.weight)
    nn.init.constant_(critic.bias, -4.0)
    before = critic.weight.detach().clone()
    WeightClip(0.01).enforce(critic)
    torch.testing.assert_close(critic.weight, before.clamp(-0.01, 0.01), rtol=0, atol=0)
    assert (critic.bias == -0.01).all()


@pytest.mark.parametrize(("progress", "deviation"), [(0.0, 0.3), (0.5, 0.15), (1.0, 0.0)])
def test_instance_noise_fades(progress: float, deviation: float) -> None:
    torch.manual_seed(0)
    noise = InstanceNoise(0.3).see(torch.full((20000,), 5.0, dtype=torch.float64), progress) - 5.0
    assert noise.std().item() == pytest.approx(deviation, rel=0.03)
    assert abs(noise.mean().item()) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_impossible_strengths_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} .*-1"):
        registry.load("regularizer", name)(-1.0)


# Strengths with a meaning, and those next to them without one.
BOUNDS = {
    "apa": ((1e-6, 1.0), (0.0, 1.001)),
    "drift": ((1e-6, 1e6), (0.0,)),
    "instance-noise": ((1e-6, 1e6), (0.0,)),
    "label-flip": ((1e-6, 0.499), (0.0, 0.5, 1.0)),
    "label-smoothing": ((0.501, 0.9, 1.0), (0.0, 0.5, 1.001)),
    "lecam": ((1e-6, 1e6), (0.0,)),
    "two-sided-label-smoothing": ((0.501, 0.9, 1.0), (0.0, 0.5, 1.001)),
    "weight-clip": ((1e-6, 1e6), (0.0,)),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_strengths_have_the_bounds_of_their_meaning(name: str) -> None:
    """Nothing and a negative strength are none; a label that is flipped half of the time says nothing."""
    kind, (right, wrong) = registry.load("regularizer", name), BOUNDS[name]
    assert [kind(strength).strength for strength in right] == list(right)
    for strength in (*wrong, math.nan):
        with pytest.raises(ValueError, match=f"{name} needs"):
            kind(strength)
