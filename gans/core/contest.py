"""What a critic and a generator play for: the loss in all its parts, before any critic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gans.core.clock import SCALED, Clock, Pace, Schedule
from gans.core.game import Batch, Condition, told
from gans.core.player import CONSTANT, MakeOptimizer, Outcome, Scores
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
    weights: Mapping[str, float] = field(default_factory=dict)  # of the generator's other terms, by name

    @property
    def constraints(self) -> list[Callable[[nn.Module], None]]:
        """What happens to a critic after every step of it."""
        return [r.enforce for r in self.regularizers if isinstance(r, Constraint)]


class Contest:
    """The two objectives, for samples that are there. A game has one, and one or more critics."""

    def __init__(self, rules: Rules) -> None:
        self.form = rules.form
        for regularizer in rules.regularizers:
            if isinstance(regularizer, Relabel):
                self.form = regularizer.wrap(self.form)
        self.terms = {r.name: r for r in rules.regularizers if isinstance(r, Term)}
        self.views = [r for r in rules.regularizers if isinstance(r, View)]
        self.penalties = tuple(rules.penalties)

    def shown(self, samples: Tensor, clock: Clock) -> Tensor:
        """The samples through whatever the regularizers put before a critic's eyes."""
        for view in self.views:
            samples = view.see(samples, clock.progress)
        return samples

    def look(self, critic: nn.Module, samples: Tensor, condition: Condition, clock: Clock) -> Tensor:
        """The critic's logits."""
        logits: Tensor = critic(self.shown(samples, clock), *condition)
        return logits

    def judge(self, critic: nn.Module, clock: Clock, real: Batch, fake: Tensor) -> Outcome:
        """The critic's objective: the form's term and one summed loss with the penalties that are due."""
        fake_logits = self.look(critic, fake, real.condition, clock)
        return self.weighed(critic, clock, real, fake, self.look(critic, *real, clock), fake_logits)

    def weighed(
        self,
        critic: nn.Module,
        clock: Clock,
        real: Batch,
        fake: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
    ) -> Outcome:
        """The same, where the logits are known."""
        terms = {"adversarial": self.form.critic(real_logits, fake_logits)}
        terms |= {name: term.value(real_logits, fake_logits) for name, term in self.terms.items()}
        observed = {"real": real_logits.mean(), "fake": fake_logits.mean()}
        if any(penalty.due(clock.turn) for penalty in self.penalties):
            penalty, norm = penalized(self.penalties, critic, clock, real, fake)
            terms, observed = terms | penalty, observed | norm
        return Outcome(terms, observed)

    def fool(self, critic: nn.Module, clock: Clock, real: Batch, fake: Tensor) -> Tensor:
        """The generator's adversarial term. Reals are looked at only where the form compares with them."""
        fake_logits = self.look(critic, fake, real.condition, clock)
        real_logits = self.look(critic, *real, clock) if self.form.relativistic else None
        return self.form.generator(fake_logits, real_logits)


def penalized(
    penalties: Sequence[GradientPenalty], critic: nn.Module, clock: Clock, real: Batch, fake: Tensor
) -> Outcome:
    """The sum of those penalties that are due, and the norm of the gradients that they saw."""
    due = [penalty for penalty in penalties if penalty.due(clock.turn)]
    judge = told(critic, real.condition)
    found = [penalty(judge, real.samples, fake, clock.progress) for penalty in due]
    return Outcome(
        {"gradient_penalty": torch.stack([p.value for p in found]).sum()},
        {"gradient_norm": torch.stack([p.gradient_norm for p in found]).mean()},
    )


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """The objectives of several critics that move together: terms are summed, what is observed averaged."""

    terms, observed = [o.terms for o in outcomes], [o.observed for o in outcomes]
    return Outcome(_joined(terms, torch.sum), _joined(observed, torch.mean))


def _joined(parts: Sequence[Scores], join: Callable[[Tensor], Tensor]) -> Scores:
    return {name: join(torch.stack([part[name] for part in parts])) for name in parts[0]}
