"""The losses of critic and generator with all their parts, for any critic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gans.core.clock import CONSTANT, Clock, Rates
from gans.core.critic_view import CriticView
from gans.core.growth_pace import SCALED, GrowthPace
from gans.core.networks import Batch, Condition, conditioned
from gans.core.player import Losses, MakeOptimizer, Player, Scores
from losses.core.adversarial import Adversarial
from losses.core.gradient_penalty import GradientPenalty
from losses.core.regularizer import Constraint, Regularizer, Relabel, Term, View
from losses.core.schedule import ScheduledValue


@dataclass(frozen=True)
class LossSpec:
    """Specification of the loss in all its parts, and of both players' optimizers and schedules.

    Attributes:
        form: the adversarial form.
        generator_optimizer, critic_optimizer: make the optimizer of each player.
        n_critic: critic updates per generator update.
        penalties, regularizers: of the critic.
        scheduled_strengths: strengths of regularizers that move over the run, by class.
        generator_rates, critic_rates: schedules of learning rates and betas.
        pace: schedule of growing networks.
        critic_view: the critic augmentation of the run; None without.
        options: the architecture's own; None for their defaults.
    """

    form: Adversarial
    generator_optimizer: MakeOptimizer
    critic_optimizer: MakeOptimizer
    n_critic: int = 1
    penalties: Sequence[GradientPenalty] = ()
    regularizers: Sequence[Regularizer] = ()
    scheduled_strengths: Mapping[type[Regularizer], ScheduledValue] = field(default_factory=dict)
    generator_rates: Rates = CONSTANT
    critic_rates: Rates = CONSTANT
    pace: GrowthPace = SCALED
    critic_view: CriticView | None = None
    options: Any = None

    @property
    def objective(self) -> "AdversarialObjective":
        """The losses of both players, as functions that games minimise."""
        return AdversarialObjective(
            self.form, self.penalties, self.regularizers, self.scheduled_strengths, self.critic_view
        )

    @property
    def components(self) -> list[Any]:
        """The form, the regularizers, and the points and norms of the penalties."""
        parts = [part for penalty in self.penalties for part in (penalty.points, penalty.norm)]
        augmentation = [] if self.critic_view is None else [self.critic_view.augmentation]
        return [self.form, *self.regularizers, *parts, *augmentation]

    def critic_player(self, critic: nn.Module) -> Player:
        """Makes the player of a critic: its optimizer, schedules, and the constraints on its weights."""
        return Player("critic", critic, self.critic_optimizer, self.constraints, self.critic_rates)

    @property
    def constraints(self) -> list[Callable[[nn.Module], None]]:
        """Constraints on the critic's weights, applied after every one of its steps."""
        return [r.enforce for r in self.regularizers if isinstance(r, Constraint)]


class AdversarialObjective(nn.Module):
    """The losses of both players on given real and generated samples, for any critic and optimizer.

    `critic_loss(C, clock, real, fake)` and `generator_loss(C, clock, real, fake)` return what to minimise,
    for a batch of real samples and as many generated ones.

    Args:
        form: the adversarial form.
        penalties: gradient penalties of the critic.
        regularizers: label changes, noise and further terms.
        scheduled_strengths: strengths of regularizers that move over the run.
        critic_view: the critic augmentation; None without.

    Its `state_dict` holds what the regularizers and the critic augmentation remember, if any.
    """

    def __init__(
        self,
        form: Adversarial,
        penalties: Sequence[GradientPenalty] = (),
        regularizers: Sequence[Regularizer] = (),
        scheduled_strengths: Mapping[type[Regularizer], ScheduledValue] | None = None,
        critic_view: CriticView | None = None,
    ) -> None:
        super().__init__()
        self.penalties, self.regularizers = tuple(penalties), tuple(regularizers)
        self.plain_forms = (form,)  # in tuples: a form that is a module is none of what is saved here
        self.scheduled_strengths = dict(scheduled_strengths or {})
        self.terms = {r.name: r for r in regularizers if isinstance(r, Term)}
        self.views = [r for r in regularizers if isinstance(r, View)]
        self.forms = (self._relabelled(),)
        self.critic_view = critic_view
        self.states = nn.ModuleDict(
            {each.name: each.state for each in self.regularizers if each.state is not None}
        )

    @property
    def plain_form(self) -> Adversarial:
        """The form, before regularizers change its labels."""
        return self.plain_forms[0]

    @property
    def form(self) -> Adversarial:
        """The form, with the labels of now."""
        return self.forms[0]

    def _relabelled(self) -> Adversarial:
        """The form, wrapped by every regularizer that changes labels."""
        form = self.plain_form
        relabels = [each for each in self.regularizers if isinstance(each, Relabel)]
        for regularizer in sorted(relabels, key=lambda each: each.is_outermost):
            form = regularizer.wrap(form)
        return form

    def set_strengths(self, clock: Clock) -> None:
        """Sets strengths of regularizers and probabilities that move to their values at this time."""
        if self.critic_view is not None:
            self.critic_view.begin(clock)
        for regularizer in self.regularizers:
            regularizer.begin(clock.batch_index, clock.seen)
        if self.scheduled_strengths:
            for regularizer in self.regularizers:
                if (scheduled := self.scheduled_strengths.get(type(regularizer))) is not None:
                    regularizer.strength = scheduled.at(clock.progress)
            self.forms = (self._relabelled(),)

    def weigh(self, losses: Losses, weight: float) -> Losses:
        """Weighs the form's own term of a loss, which counts without the form's constant factor."""
        adversarial = losses.terms["adversarial"] * (weight / self.plain_form.factor)
        return Losses(losses.terms | {"adversarial": adversarial}, losses.logged)

    def perturb(self, samples: Tensor, clock: Clock, condition: Condition = ()) -> Batch:
        """Changes samples and their condition to what the critic sees.

        The critic augmentation comes first; then regularizers add to the samples, such as instance noise.
        """
        self.set_strengths(clock)
        if self.critic_view is not None:
            samples, condition = self.critic_view.see(samples, condition)
        for view in self.views:
            samples = view.see(samples, clock.progress)
        return Batch(samples, condition)

    def critic_logits(self, critic: nn.Module, samples: Tensor, condition: Condition, clock: Clock) -> Tensor:
        """The critic's logits of samples `(N, …)`, which are perturbed first.

        Raises ValueError for a critic that returns something else, or one number for all samples.
        """
        samples, condition = self.perturb(samples, clock, condition)
        logits: Tensor = critic(samples, *condition)
        if not isinstance(logits, Tensor) or logits.dim() == 0 or len(logits) == 1 < len(samples):
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the critic returns {found}, and not logits (N, …) of {len(samples)} samples")
        return logits

    def critic_loss(
        self, critic: nn.Module, clock: Clock, real: Batch, fake: Tensor, condition: Condition | None = None
    ) -> Losses:
        """The critic's loss: the form's term, regularizers' terms, and the penalties that are due.

        Args:
            condition: of the generated samples; None for that of the real ones.
        """
        fake_logits = self.critic_logits(critic, fake, condition or real.condition, clock)
        real_logits = self.critic_logits(critic, *real, clock)
        return self.critic_loss_from_logits(critic, clock, real, fake, real_logits, fake_logits)

    def critic_loss_from_logits(
        self,
        critic: nn.Module,
        clock: Clock,
        real: Batch,
        fake: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
    ) -> Losses:
        """The critic's loss, from logits that are computed already."""
        self.set_strengths(clock)
        terms = {"adversarial": self.form.critic(real_logits, fake_logits)}
        terms |= {name: term.value(real_logits, fake_logits) for name, term in self.terms.items()}
        logged = {"real": real_logits.mean(), "fake": fake_logits.mean()}
        for observer in (self.critic_view, *self.regularizers):
            if observer is not None:
                logged |= observer.observe(real_logits)
        if any(penalty.due(clock.batch_index) for penalty in self.penalties):
            penalty, norm = self.penalty_losses(self.penalties, critic, clock, real, fake)
            terms, logged = terms | penalty, logged | norm
        return Losses(terms, logged)

    def generator_loss(
        self, critic: nn.Module, clock: Clock, real: Batch, fake: Tensor, condition: Condition | None = None
    ) -> Tensor:
        """The generator's adversarial loss.

        The critic sees real samples only where the form compares with them. `condition` is that of the
        generated ones; None for that of the real ones.
        """
        fake_logits = self.critic_logits(critic, fake, condition or real.condition, clock)
        real_logits = self.critic_logits(critic, *real, clock) if self.form.relativistic else None
        return self.form.generator(fake_logits, real_logits)

    def penalty_losses(
        self,
        penalties: Sequence[GradientPenalty],
        critic: nn.Module,
        clock: Clock,
        real: Batch,
        fake: Tensor,
    ) -> Losses:
        """Adds up the gradient penalties that are due, and averages the norms of their gradients for the log.

        Their points are chosen among samples as they are; gradients are taken there, through the critic
        augmentation, as in ADA's code.
        """
        self.set_strengths(clock)
        due = [penalty for penalty in penalties if penalty.due(clock.batch_index)]
        see = conditioned if self.critic_view is None else self.critic_view.of_critic
        network = see(critic, real.condition)
        found = [penalty(network, real.samples, fake, clock.progress) for penalty in due]
        return Losses(
            {"gradient_penalty": torch.stack([p.value for p in found]).sum()},
            {"gradient_norm": torch.stack([p.gradient_norm for p in found]).mean()},
        )


def sum_losses(losses: Sequence[Losses]) -> Losses:
    """Combines the losses of critics updated together: sums their terms, averages their logged scalars."""
    terms, logged = [each.terms for each in losses], [each.logged for each in losses]
    return Losses(_join_scalars(terms, torch.sum), _join_scalars(logged, torch.mean))


def _join_scalars(parts: Sequence[Scores], join: Callable[[Tensor], Tensor]) -> Scores:
    """Joins the scalars of each name."""
    return {name: join(torch.stack([part[name] for part in parts])) for name in parts[0]}


def adapt_memory(game: nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """Adapts a game's `state_dict` to its objectives, which may have other regularizers or another view now.

    What those remember that are still there is kept; others begin anew, and what is not there is left out.
    """
    objectives = tuple(
        f"{name}."
        for name, module in game.named_modules(remove_duplicate=False)
        if isinstance(module, AdversarialObjective)
    )
    own = {key: value for key, value in game.state_dict().items() if key.startswith(objectives)}
    kept = {key: value for key, value in state.items() if key in own or not key.startswith(objectives)}
    return own | kept
