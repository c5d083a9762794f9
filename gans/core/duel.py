"""The game of one generator against one critic (Goodfellow et al. 2014, algorithm 1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gans.core.clock import SCALED, Clock, Pace, Schedule
from gans.core.game import Batch, Condition, Deal, Game, LatentNetwork, told
from gans.core.player import CONSTANT, MakeOptimizer, Outcome, Player, Scores
from losses.adversarial import Adversarial
from losses.gradient_penalty import GradientPenalty
from losses.regularizers import Constraint, Regularizer, Relabel, Term, View


@dataclass(frozen=True)
class Rules:
    """What is played for: the loss in all its parts, and how each player moves."""

    form: Adversarial
    generator_optimizer: MakeOptimizer
    critic_optimizer: MakeOptimizer
    n_critic: int = 1
    penalties: Sequence[GradientPenalty] = ()
    regularizers: Sequence[Regularizer] = ()
    schedule: Schedule = CONSTANT
    pace: Pace = SCALED


class Duel(Game):
    """`n_critic` updates of the critic on fresh reals and fresh fakes, then one of the generator.

    Args:
        generator: `(N, z_dim)` → samples.
        critic: samples → logits `(N,)`. With classes, both take the labels of the samples too; the fakes of
            a batch have the labels of its reals.
        rules: form, penalties, regularizers and optimizers.
    """

    def __init__(self, generator: LatentNetwork, critic: nn.Module, rules: Rules) -> None:
        super().__init__()
        self.form = rules.form
        for regularizer in rules.regularizers:
            if isinstance(regularizer, Relabel):
                self.form = regularizer.wrap(self.form)
        self.terms = {r.name: r for r in rules.regularizers if isinstance(r, Term)}
        self.views = [r for r in rules.regularizers if isinstance(r, View)]
        constraints = [r.enforce for r in rules.regularizers if isinstance(r, Constraint)]
        self.penalties = tuple(rules.penalties)
        self.n_critic = rules.n_critic
        self.z_dim = generator.z_dim
        self.generator = Player("generator", generator, rules.generator_optimizer, (), rules.schedule)
        self.critic = Player("critic", critic, rules.critic_optimizer, constraints, rules.schedule)

    @property
    def generator_network(self) -> nn.Module:
        return self.generator.network

    @property
    def critic_network(self) -> nn.Module:
        return self.critic.network

    @property
    def deals_per_round(self) -> int:
        return self.n_critic

    def round(self, deal: Deal) -> Scores:
        scores: Scores = {}
        for _ in range(self.n_critic):
            clock, real = deal.clock, deal()
            scores |= self.critic.minimise(self.judge, clock, real)
        return scores | self.generator.minimise(self.fool, clock, real)

    def generate(self, like: Batch) -> Tensor:
        """As many fresh samples as `like` has, of its labels, from `z ~ N(0, 1)`."""
        samples = like.samples
        z = torch.randn(len(samples), self.z_dim, device=samples.device, dtype=samples.dtype)
        return self.generator.network(z, *like.condition)

    def look(self, samples: Tensor, condition: Condition, clock: Clock) -> Tensor:
        """The critic's logits, through whatever the regularizers put before its eyes."""
        for view in self.views:
            samples = view.see(samples, clock.progress)
        return self.critic.network(samples, *condition)

    def judge(self, clock: Clock, real: Batch) -> Outcome:
        """The critic's objective: the form's term and one summed loss with the penalties that are due."""
        with torch.no_grad():
            fake = self.generate(real)
        real_logits = self.look(real.samples, real.condition, clock)
        fake_logits = self.look(fake, real.condition, clock)
        terms = {"adversarial": self.form.critic(real_logits, fake_logits)}
        terms |= {name: term.value(real_logits, fake_logits) for name, term in self.terms.items()}
        observed = {"real": real_logits.mean(), "fake": fake_logits.mean()}
        if any(penalty.due(clock.turn) for penalty in self.penalties):
            penalty, norm = self.penalized(self.penalties, clock, real, fake)
            terms, observed = terms | penalty, observed | norm
        return Outcome(terms, observed)

    def penalized(
        self, penalties: Sequence[GradientPenalty], clock: Clock, real: Batch, fake: Tensor
    ) -> Outcome:
        """The sum of those penalties that are due, and the norm of the gradients that they saw."""
        due = [penalty for penalty in penalties if penalty.due(clock.turn)]
        critic = told(self.critic.network, real.condition)
        found = [penalty(critic, real.samples, fake, clock.progress) for penalty in due]
        return Outcome(
            {"gradient_penalty": torch.stack([p.value for p in found]).sum()},
            {"gradient_norm": torch.stack([p.gradient_norm for p in found]).mean()},
        )

    def fool(self, clock: Clock, real: Batch) -> Outcome:
        """The generator's objective. The reals are looked at only where the form compares with them."""
        fake_logits = self.look(self.generate(real), real.condition, clock)
        real_logits = self.look(*real, clock) if self.form.relativistic else None
        return Outcome({"adversarial": self.form.generator(fake_logits, real_logits)})


class AroundDuel(Game):
    """A game that plays a duel by further rules: it has the duel's players, and brings its own round."""

    def __init__(self, duel: Duel) -> None:
        super().__init__()
        self.duel = duel

    @property
    def generator_network(self) -> nn.Module:
        return self.duel.generator_network

    @property
    def critic_network(self) -> nn.Module:
        return self.duel.critic_network

    @property
    def deals_per_round(self) -> int:
        return self.duel.deals_per_round
