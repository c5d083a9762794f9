"""What a critic sees is changed in one place: logits, pairs and penalties; at p = 0 nothing is."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.critic_view import CriticView
from gans.core.networks import Batch
from gans.core.objective import AdversarialObjective, LossSpec
from losses.adversarial.bce import BinaryCrossEntropy
from losses.adversarial.lsgan import LeastSquares
from losses.core.adaptive_probability import AdaptiveOptions, AdaptiveProbability
from losses.core.critic_augmentation import CriticAugmentation, Draws
from losses.core.gradient_penalty import GradientPenalty
from losses.core.schedule import ScheduledValue
from losses.critic_augmentations.ada import Ada, AdaOptions
from losses.penalties.real import Real
from losses.penalty_norms.zero import ZeroCentred
from losses.regularizers.instance_noise import InstanceNoise
from losses.schedules.linear import Linear
from tests.gans.translating import SGD


class Factor(CriticAugmentation):
    """Multiplies each image by a number that is drawn, and notes the probabilities."""

    takes_probability = True

    def __init__(self) -> None:
        self.drawn: list[Tensor] = []
        self.asked: list[float] = []

    def draw(self, images: Tensor) -> Draws:
        self.drawn.append(torch.rand(len(images), 1, 1, 1, dtype=images.dtype) + 1)
        return {"factor": self.drawn[-1]}

    def apply(self, images: Tensor, draws: Draws, probability: float) -> Tensor:
        self.asked.append(probability)
        return images * draws["factor"]


class Sum(nn.Module):
    """Images `(N, C, H, W)`, and perhaps sources → the sum of their squares, `(N,)`; notes what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, ...]] = []

    def forward(self, x: Tensor, *sources: Tensor) -> Tensor:
        self.seen.append((x, *sources))
        return sum(each.flatten(1).square().sum(dim=1) / 2 for each in (x, *sources) if each.dim() == 4)


REAL, FAKE = torch.rand(2, 1, 2, 2).double(), torch.rand(2, 1, 2, 2).double()


def objective_of(form: Any = None, **spec: Any) -> AdversarialObjective:
    return LossSpec(form or BinaryCrossEntropy(), SGD, SGD, **spec).objective


def test_reals_fakes_and_penalties_are_changed_by_draws_of_their_own() -> None:
    """R1 of `‖f x‖² / 2` at x is `½ γ ‖f² x‖²`: the gradient is taken before the change, through it."""
    factor, critic = Factor(), Sum()
    penalty = GradientPenalty(Real(), ZeroCentred(), 3.0)
    objective = objective_of(penalties=[penalty], critic_view=CriticView(factor))
    losses = objective.critic_loss(critic, Clock(), Batch(REAL), FAKE)
    first, second, third = factor.drawn
    assert not torch.equal(first, second)
    torch.testing.assert_close(critic.seen[0][0], FAKE * first)
    torch.testing.assert_close(critic.seen[1][0], REAL * second)
    expected = 1.5 * (third**2 * REAL).flatten(1).square().sum(dim=1).mean()
    torch.testing.assert_close(losses.terms["gradient_penalty"], expected)
    objective.generator_loss(critic, Clock(), Batch(REAL), FAKE)
    torch.testing.assert_close(critic.seen[-1][0], FAKE * factor.drawn[-1])


def test_pairs_are_changed_alike_and_labels_stay() -> None:
    factor, critic, label = Factor(), Sum(), torch.tensor([0, 1])
    objective = objective_of(critic_view=CriticView(factor), penalties=[])
    objective.critic_logits(critic, REAL, (FAKE, label), Clock())
    shown, source, told = critic.seen[0]
    torch.testing.assert_close(shown / REAL, source / FAKE)
    assert told is label


def test_noise_is_added_after_the_change() -> None:
    factor, critic = Factor(), Sum()
    objective = objective_of(critic_view=CriticView(factor), regularizers=[InstanceNoise(1.0)])
    torch.manual_seed(0)
    objective.critic_logits(critic, REAL, (), Clock())
    torch.manual_seed(0)
    torch.rand(2, 1, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(critic.seen[0][0], REAL * factor.drawn[0] + torch.randn_like(REAL))


@pytest.mark.parametrize("probability", [0.0, ScheduledValue(0.0, 1.0, Linear())])
def test_at_zero_nothing_is_drawn(probability: Any) -> None:
    factor, critic = Factor(), Sum()
    penalty = GradientPenalty(Real(), ZeroCentred(), 3.0)
    objective = objective_of(critic_view=CriticView(factor, probability), penalties=[penalty])
    before = torch.get_rng_state()
    losses = objective.critic_loss(critic, Clock(), Batch(REAL), FAKE)
    assert not factor.drawn and torch.equal(torch.get_rng_state(), before)
    assert critic.seen[1][0] is REAL
    assert losses.logged["augment/p"].item() == 0
    if not isinstance(probability, float):
        objective.critic_loss(critic, Clock(progress=0.75), Batch(REAL), FAKE)
        assert set(factor.asked) == {0.75}


def test_the_probability_follows_the_signs() -> None:
    """Least squares' critic takes for real what is above ½; adjusted after every second batch, once."""
    options = AdaptiveOptions(interval=2, kimg=0.01)
    view = CriticView(Factor(), AdaptiveProbability(options), LeastSquares.threshold)
    objective, critic = objective_of(LeastSquares(), critic_view=view), Sum()
    ps, signs = [], []
    for batch in range(5):
        clock, real = Clock(2 * batch, batch), Batch(torch.full_like(REAL, 2.0 if batch < 4 else 0.1))
        objective.generator_loss(critic, clock, real, FAKE)
        logged = objective.critic_loss(critic, clock, real, FAKE).logged
        ps.append(round(logged["augment/p"].item(), 6))
        signs.append(logged["augment/sign"].item())
    assert ps == [0.0, 0.0, 0.4, 0.4, 0.8]
    assert signs == [1.0, 1.0, 1.0, 1.0, -1.0]


def test_what_it_remembers_is_in_the_state_and_nothing_else() -> None:
    steered = CriticView(Ada(), AdaptiveProbability(AdaOptions()), 0.0)
    keys = set(objective_of(critic_view=steered).state_dict())
    assert keys == {"critic_view.adaptive.signs", "critic_view.adaptive._extra_state"}
    assert not objective_of(critic_view=CriticView(Ada(), 0.3)).state_dict()
    assert not objective_of().state_dict()
