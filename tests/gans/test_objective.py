"""The two objectives, for any critic: against what a linear critic must give, in float64."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.networks import Batch
from gans.core.objective import AdversarialObjective, LossSpec, sum_losses
from gans.core.player import Losses
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.lsgan import LeastSquares
from losses.adversarial.relativistic import Relativistic
from losses.adversarial.wgan import Wasserstein
from losses.core.adversarial import Adversarial
from losses.core.gradient_penalty import GradientPenalty
from losses.core.schedule import ScheduledValue
from losses.penalties.fake import Fake
from losses.penalties.real import Real
from losses.penalty_norms.one import OneCentred
from losses.penalty_norms.zero import ZeroCentred
from losses.regularizers.drift import Drift
from losses.regularizers.instance_noise import InstanceNoise
from losses.regularizers.label_smoothing import LabelSmoothing
from losses.schedules.linear import Linear as LinearSchedule
from tests.gans.translating import SGD


class Linear(nn.Module):
    """`(N, 3)` → `(N, 2)` logits; told something, it adds that. Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 2.0, 2.0], [3.0, 0.0, -4.0]], dtype=torch.float64))
        self.asked: list[tuple[Tensor, ...]] = []

    def forward(self, x: Tensor, *condition: Tensor) -> Tensor:
        self.asked.append((x, *condition))
        return x @ self.weight.T + sum(each[:, None] for each in condition)


REAL = torch.tensor([[0.5, -1.0, 0.0], [0.25, 0.0, 1.0]], dtype=torch.float64)
FAKE = torch.tensor([[-0.5, 0.5, 1.0], [2.0, 0.0, -0.25]], dtype=torch.float64)
TOLD = torch.tensor([0.75, -0.25], dtype=torch.float64)


def objective_of(form: Adversarial, **spec: Any) -> AdversarialObjective:
    return LossSpec(form, SGD, SGD, **spec).objective


def test_the_critics_terms() -> None:
    """Least squares, drift, and penalties at reals and fakes, which are summed: every number by hand."""
    critic = Linear()
    penalties = [GradientPenalty(Real(), OneCentred(), 10.0), GradientPenalty(Fake(), ZeroCentred(), 3.0)]
    objective = objective_of(LeastSquares(), penalties=penalties, regularizers=[Drift(0.5)])
    losses = objective.critic_loss(critic, Clock(), Batch(REAL, (TOLD,)), FAKE)
    real, fake = (x @ critic.weight.T + TOLD[:, None] for x in (REAL, FAKE))
    norm = (critic.weight.mean(dim=0)).norm()  # of the mean of a sample's logits
    expected = {
        "adversarial": ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
        "drift": 0.5 * (real**2).mean(),
        "gradient_penalty": 10 * (norm - 1) ** 2 + 1.5 * norm**2,
    }
    assert losses.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert losses.terms[name].item() == pytest.approx(value.item(), rel=1e-12), name
    assert losses.logged["real"].item() == pytest.approx(real.mean().item(), rel=1e-12)
    assert losses.logged["fake"].item() == pytest.approx(fake.mean().item(), rel=1e-12)
    assert losses.logged["gradient_norm"].item() == pytest.approx(norm.item(), rel=1e-12)
    assert all(torch.equal(condition, TOLD) for _, condition in critic.asked), (
        "whoever asks tells the condition"
    )
    assert len(critic.asked) == 4


def test_penalties_are_taken_when_due() -> None:
    penalties = [
        GradientPenalty(Real(), OneCentred(), 1.0, every=2),
        GradientPenalty(Fake(), OneCentred(), 1.0, every=3),
    ]
    objective, found = objective_of(Wasserstein(), penalties=penalties), []
    for batch_index in range(6):
        terms = objective.critic_loss(Linear(), Clock(batch_index=batch_index), Batch(REAL), FAKE).terms
        one = (math.hypot(2.0, 1.0, -1.0) - 1) ** 2
        found.append(terms["gradient_penalty"].item() / one if "gradient_penalty" in terms else None)
    assert found == [pytest.approx(5), None, pytest.approx(2), pytest.approx(3), pytest.approx(2), None]


@pytest.mark.parametrize("form", [LeastSquares(), Relativistic()], ids=lambda form: form.recipe.form)
def test_the_generators_term(form: Adversarial) -> None:
    """Reals are looked at only where the form compares with them."""
    critic = Linear()
    value = objective_of(form).generator_loss(critic, Clock(), Batch(REAL, (TOLD,)), FAKE)
    real, fake = (x @ critic.weight.T + TOLD[:, None] for x in (REAL, FAKE))
    least_squares, compared = ((fake - 1) ** 2).mean() / 2, (1 + (real - fake).exp()).log().mean()
    expected = compared if form.relativistic else least_squares
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert len(critic.asked) == 1 + form.relativistic


def test_views_stand_before_every_look() -> None:
    """Two noises, on reals and fakes, that fade with the clock."""
    objective, critic = (
        objective_of(LeastSquares(), regularizers=[InstanceNoise(1.0), InstanceNoise(2.0)]),
        Linear(),
    )
    torch.manual_seed(0)
    objective.critic_loss(critic, Clock(progress=0.75), Batch(REAL), FAKE)
    torch.manual_seed(0)
    noise = [torch.randn(2, 3, dtype=torch.float64) for _ in range(4)]
    (shown_fake,), (shown_real,) = critic.asked
    torch.testing.assert_close(shown_fake, FAKE + 0.25 * noise[0] + 0.5 * noise[1])
    torch.testing.assert_close(shown_real, REAL + 0.25 * noise[2] + 0.5 * noise[3])
    objective.generator_loss(critic, Clock(progress=0.75), Batch(REAL), FAKE)
    assert not torch.equal(critic.asked[-1][0], FAKE)


def test_critics_that_move_together() -> None:
    parts = [
        Losses(
            {"adversarial": torch.tensor(a), "gradient_penalty": torch.tensor(2 * a)},
            {"real": torch.tensor(a)},
        )
        for a in (1.0, 3.0)
    ]
    terms, logged = sum_losses(parts)
    assert {name: value.item() for name, value in terms.items()} == {"adversarial": 4, "gradient_penalty": 8}
    assert {name: value.item() for name, value in logged.items()} == {"real": 2}


@pytest.mark.parametrize("form", [BinaryCrossEntropy(), LeastSquares()], ids=lambda form: form.recipe.form)
@pytest.mark.parametrize("knows_logits", [False, True])
def test_a_strength_follows_its_schedule(form: Adversarial, knows_logits: bool) -> None:
    """Labels of 0.9 at the start, 0.95 halfway and 1 at the end; and of 0.9 again in a run that goes back."""

    def critic_loss(objective: AdversarialObjective, clock: Clock) -> float:
        critic, real = Linear(), Batch(REAL)
        if not knows_logits:
            return objective.critic_loss(critic, clock, real, FAKE).terms["adversarial"].item()
        logits = critic(REAL), critic(FAKE)
        return (
            objective.critic_loss_from_logits(critic, clock, real, FAKE, *logits).terms["adversarial"].item()
        )

    scheduled_strengths = {LabelSmoothing: ScheduledValue(0.9, 1.0, LinearSchedule())}
    moving = objective_of(form, regularizers=[LabelSmoothing(0.9)], scheduled_strengths=scheduled_strengths)
    found = []
    for progress, strength in ((0.0, 0.9), (0.5, 0.95), (1.0, 1.0), (0.0, 0.9)):
        clock = Clock(progress=progress)
        fixed = objective_of(form, regularizers=[LabelSmoothing(strength)])
        found.append(critic_loss(moving, clock))
        assert found[-1] == pytest.approx(critic_loss(fixed, clock), rel=1e-14)
    assert len(set(found)) == 3, "another strength is another loss"
