"""The critic's side of a loop of somebody's own: its steps, and the loss that it gives a generator."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gans.core.adversary_inputs import (
    FAR,
    SampleFormat,
    Samples,
    autocast_networks,
    check_alike,
    check_detached,
    check_fits,
    check_parts,
    check_range,
    check_same_condition,
    own_precision,
    read_samples,
)
from gans.core.clock import Clock
from gans.core.critic_side import CriticSide
from gans.core.ema import EmaOptions, ExponentialMovingAverage
from gans.core.networks import Batch
from gans.core.objective import LossSpec
from gans.core.player import Losses, Scores
from gans.layers.batch_norm import share_batch_norms
from losses.core.adaptive_weight import adaptive_weight
from losses.core.batch_parts import process_part
from losses.core.ranks import copy_from_first_rank, ranks_of_default_group
from losses.core.schedule import Scheduled, ScheduledSetting

USUAL_EMA = EmaOptions()


@dataclass(frozen=True)
class TrainingLength:
    """Length of a training, over which schedules run: in real images or in critic steps; 0 is unknown."""

    images: float = 0.0
    steps: int = 0

    def progress(self, seen: int, batch_index: int) -> float:
        """Share in [0, 1] that is over; 0 throughout where the length is unknown."""
        done = (seen, self.images) if self.images else (batch_index, self.steps)
        return min(1.0, done[0] / done[1]) if done[1] else 0.0


@dataclass(frozen=True)
class GeneratorWeight:
    """Weight of the generator's adversarial loss: a factor, and with it VQGAN's rule where adaptive."""

    factor: float = 1.0
    is_adaptive: bool = False


class CriticTrainer(CriticSide):
    """Trains a critic beside networks that somebody else trains, and gives these their adversarial loss.

    Its parts are those of the games of `gans run`: the critic's player, its optimizer and constraints, and
    the objective with penalties, regularizers and critic augmentation. It keeps the training clock itself.

    Args:
        critic: samples and their condition → logits `(N, …)`.
        spec: the loss in all its parts; nothing of the generator's optimizer is used.
        length: of the training.
        start: generator losses that are 0 before the adversarial term begins.
        critic_start: critic steps that train nothing before its training begins.
        weight: of the generator's loss.
        sample_format: what the critic was built for; None for a critic of somebody's own.

    Attributes:
        weight_now: weight of the last generator loss, a scalar without gradient.
        critic_ema_tracker: what moves the EMA of the critic (`critic_ema`); None without.
        scheduled: options of components that move over the training.
    """

    weight_now: Tensor

    def __init__(
        self,
        critic: nn.Module,
        spec: LossSpec,
        length: TrainingLength = TrainingLength(),
        start: int = 0,
        critic_start: int = 0,
        weight: GeneratorWeight = GeneratorWeight(),
        sample_format: SampleFormat | None = None,
    ) -> None:
        super().__init__()
        self.objective, self.critic = spec.objective, spec.critic_player(critic)
        self.length, self.start, self.critic_start, self.weight = length, start, critic_start, weight
        self.seen, self.batch_index = 0, 0  # real images and batches given to the critic
        self.generator_losses = 0  # that a gradient was wanted of
        self.clock = Clock()  # of the critic's last step: games move both players at the time of one batch
        self.ema_clock = (0, 0)  # images and batches at the last `follow`
        self.ema_networks = nn.ModuleList()  # the networks of `emas`
        self.emas: list[ExponentialMovingAverage] = []
        self.critic_ema_tracker: ExponentialMovingAverage | None = None
        self.register_buffer("weight_now", torch.tensor(weight.factor), persistent=False)
        self.scheduled: Sequence[ScheduledSetting] = ()
        self.sample_format = sample_format
        self._checked_values: set[str] = set()  # sides whose values have been looked at, once
        self._checked_shape: torch.Size | None = None  # of samples that the critic augmentation can change
        self._is_shared = False  # whether all processes have the critic of the first
        pairs = [each for each in spec.penalties if each.points.takes_fakes]
        comparing = "the loss compares" if spec.form.relativistic else ""
        self.compares = comparing or ("the penalty pairs" if pairs else "")

    def critic_step(self, real: Samples, fake: Samples) -> Scores:
        """Trains the critic for one step on real samples and as many generated ones.

        Both are tensors `(N, …)`, without a gradient; or tuples of samples and what the critic is told of
        them: labels int64 `(N,)`, or images that they belong to. A `fake` that is a tensor alone has the
        condition of `real`. Over processes each gives its share of the batch, of one size.

        Returns the scalars that `gans run` logs (`critic/adversarial`, `critic/real`, …), of the samples of
        this process; none before the critic's training begins. Raises ValueError for samples that do not fit.
        """
        shown, made = read_samples("real", real), self._with_condition(fake, real)
        check_alike(shown, made)
        check_detached(shown, made)
        self._check_fits(real=shown, fake=made)
        if self.compares:
            check_same_condition(shown.condition, made.condition, self.compares)
        scores: Scores = {}
        with ranks_of_default_group(), torch.enable_grad(), own_precision(shown.samples.device) as dtype:
            self._share()
            self.clock = self._clock_at(self.seen, self.batch_index)
            for setting in self.scheduled:
                setting.set(self.clock.progress)
            if self.batch_index >= self.critic_start:
                self.critic.product_type = dtype
                scores = self.critic.minimise(self._critic_loss, self.clock, shown, *made)
                # Optimizers of all parameters of a module, and clipping, would meet them.
                self.critic.optimizer.zero_grad(set_to_none=True)
            self.seen += len(shown.samples) * process_part().count
            self.batch_index += 1
        return scores

    def generator_loss(
        self,
        fake: Samples,
        real: Samples | None = None,
        *,
        reconstruction: Tensor | None = None,
        last_layer: Tensor | None = None,
    ) -> Tensor:
        """The adversarial loss of generated samples, times its weight: a scalar, differentiable in them.

        Nothing of the critic gets a gradient. The first `start` losses of which a gradient is wanted are 0,
        and until then those without one. Over processes all call it together, also in validation.

        Args:
            fake: as for `critic_step`, with their gradient.
            real: as many real samples, for losses that compare (relativistic ones), and for conditions.
            reconstruction: the reconstruction loss, a scalar, with an adaptive weight.
            last_layer: weight of the generator's last layer, with an adaptive weight.

        Without a gradient, as in validation, an adaptive weight stays what it was last. Raises ValueError for
        samples that do not fit, and where an adaptive weight lacks what it is computed from.
        """
        made = self._with_condition(fake, real)
        shown = made if real is None else read_samples("real", real)
        if real is None and self.objective.form.relativistic:
            raise ValueError("this loss compares with real samples; give generator_loss(fake, real)")
        check_alike(shown, made)
        if self.objective.form.relativistic:
            check_same_condition(shown.condition, made.condition, "the loss compares")
        self._check_fits(**({} if real is None else {"real": shown}), fake=made)
        is_adaptive = self.weight.is_adaptive
        if is_adaptive and (reconstruction is None or last_layer is None):
            raise ValueError(
                "an adaptive weight needs generator_loss(fake, real, reconstruction=loss, last_layer=weight)"
            )
        check_parts(reconstruction, last_layer)
        wants_gradient, has_begun = torch.is_grad_enabled(), self.generator_losses >= self.start
        self.generator_losses += wants_gradient
        if not has_begun:
            return made.samples.flatten()[:0].sum()  # 0, with a gradient of 0
        device = made.samples.device
        with ranks_of_default_group():
            self._share()
            # A weight under spectral norm is normalized once a step, as in the games.
            with autocast_networks(device), parametrize.cached():
                loss = self.generator_loss_on(self.clock, shown, made.samples, made.condition)
            if is_adaptive and wants_gradient and reconstruction is not None and last_layer is not None:
                self._adapt_weight(reconstruction, loss, last_layer)
        if loss.requires_grad:
            loss.register_hook(partial(self._check_same_critic, self.batch_index))  # type: ignore[no-untyped-call]
        return loss * self.weight_now.to(loss)

    def ema_of(
        self, network: nn.Module, half_life_kimg: Scheduled, options: EmaOptions = USUAL_EMA
    ) -> nn.Module:
        """Adds the EMA of a network, such as the generator; returns it, in evaluation mode.

        `follow` moves it. Its half-life is counted in thousands of real images given to the critic, with the
        ramp-up of `gans run`; it is part of this adversary's `state_dict`.
        """
        ema = ExponentialMovingAverage(network, half_life_kimg, options)
        self.emas.append(ema)
        self.ema_networks.append(ema.average)
        return ema.average

    def follow(self) -> None:
        """Moves all EMAs, by the images since the last call: once a step, after all optimizers."""
        before = self._clock_at(*self.ema_clock)
        for ema in self.emas:
            ema.find_tensors()  # which may be elsewhere since, as after `.to(device)`
            ema.follow(self.seen, self.seen - before.seen, before.progress)
        self.ema_clock = (self.seen, self.batch_index)

    @property
    def critic_network(self) -> nn.Module:
        """The critic."""
        return self.critic.network

    @property
    def critic_ema(self) -> nn.Module | None:
        """The EMA of the critic, in evaluation mode; None without."""
        return None if self.critic_ema_tracker is None else self.critic_ema_tracker.average

    @property
    def augment_probability(self) -> float | None:
        """Probability of the critic augmentation as it is now; None without one."""
        view = self.objective.critic_view
        return None if view is None else view.probability

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of the critic; EMAs stay in evaluation mode."""
        super().train(mode)
        self.ema_networks.eval()
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """The clock and the weight: they travel with the adversary, so that its `state_dict` is whole."""
        return {
            "seen": self.seen,
            "batch_index": self.batch_index,
            "generator_losses": self.generator_losses,
            "ema_clock": self.ema_clock,
            "clock": (self.clock.seen, self.clock.batch_index),
            "weight_now": self.weight_now,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        for name in ("seen", "batch_index", "generator_losses", "ema_clock"):
            setattr(self, name, state[name])
        self.clock = self._clock_at(*state["clock"])
        # A weight that is a number belongs to the settings.
        if self.weight.is_adaptive and "weight_now" in state:
            self.weight_now = state["weight_now"].to(self.weight_now.device)
        self._is_shared = False

    def _critic_loss(self, clock: Clock, real: Batch, fake: Tensor, condition: Sequence[Tensor]) -> Losses:
        """The critic's loss on a batch or a part of it."""
        return self.critic_loss_on(clock, real, fake, tuple(condition))

    def _check_same_critic(self, batch_index: int, gradient: Tensor) -> None:
        """Checks that the critic is still the one of a loss. Raises RuntimeError in its backward pass."""
        if self.batch_index > max(batch_index, self.critic_start):
            raise RuntimeError(
                "critic_step came before the backward pass of generator_loss, which would go through other "
                "weights than the loss; call it before generator_loss, or after the backward pass"
            )

    def _adapt_weight(self, reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> None:
        """Sets the weight by VQGAN's rule."""
        found = adaptive_weight(reconstruction, adversarial, last_layer)
        self.weight_now = self.weight.factor * found

    def _clock_at(self, seen: int, batch_index: int) -> Clock:
        """The time after so many images and batches."""
        return Clock(seen, batch_index, self.length.progress(seen, batch_index))

    def _with_condition(self, fake: Samples, real: Samples | None) -> Batch:
        """Reads generated samples, with the condition of real ones where they have none of their own."""
        made = read_samples("fake", fake)
        if made.condition or real is None or isinstance(real, Tensor):
            return made
        return Batch(made.samples, read_samples("real", real).condition)

    def _check_fits(self, **sides: Batch) -> None:
        """Checks that the critic and its augmentation can take samples. Raises ValueError otherwise.

        Values are looked at in the first batch of each side alone: a GPU would wait for it.
        """
        samples, view = sides["fake"].samples, self.objective.critic_view
        check_fits(self.critic.network, samples)
        if view is not None and samples.dim() != 4:
            raise ValueError(
                f"the critic augmentation changes images (N, C, H, W), and samples have shape "
                f"{tuple(samples.shape)}; leave it out"
            )
        for name, batch in sides.items():
            is_new = name not in self._checked_values
            if self.sample_format is not None:
                self.sample_format.check(name, batch)
                if is_new:
                    self.sample_format.check_values(name, batch)
            elif view is not None and is_new:
                check_range(name, batch.samples, FAR)
            self._checked_values.add(name)
        if view is not None and samples.shape[1:] != self._checked_shape:
            view.augmentation.check(samples.shape[1], min(samples.shape[2:]))
            self._checked_shape = samples.shape[1:]

    def _share(self) -> None:
        """Gives all processes the critic of the first, and its batch norms the batch of all; once."""
        if self._is_shared or process_part().count == 1:
            return
        share_batch_norms(self.critic.network)
        copy_from_first_rank([*self.critic.network.parameters(), *self.critic.network.buffers()])
        self._is_shared = True
