"""The game with lazy regularization, and path length regularization (StyleGAN2, Karras et al. 2020)."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.duel import Duel, WrappedGame
from gans.core.game import BatchLoader
from gans.core.networks import Batch, Condition, LatentNetwork, StyledNetwork, draw_latents
from gans.core.objective import LossSpec
from gans.core.player import Losses, Scores
from gans.core.styles import StyleOptions, mix_styles
from gans.layers.deterministic import draw_labels
from losses.core.batch_parts import draw_like, draw_rows
from losses.core.input_gradient import without_compilation
from losses.core.options import option
from losses.core.precision import in_full_precision
from losses.core.ranks import mean_over_ranks


@dataclass(frozen=True)
class PathPenaltyOptions:
    """Options of path length regularization (StyleGAN2, appendix B)."""

    path_length_weight: float = option(
        2.0, "Weight of path length regularization; 0: none.", at_least=0.0, is_schedulable=True
    )
    path_length_every: int = option(4, "Steps from one path length regularization to the next.", at_least=1)
    path_length_decay: float = option(
        0.01,
        "Weight of the newest path lengths in their running mean.",
        above=0.0,
        at_most=1.0,
        is_schedulable=True,
    )
    path_length_batch_shrink: int = option(
        2, "Divisor of the batch size in path length regularization.", at_least=1
    )


@dataclass(frozen=True)
class LazyOptions(StyleOptions, PathPenaltyOptions):
    """Options of generators with styles whose path lengths are regularized."""


class LazyDuel(WrappedGame):
    """A duel with lazy regularization: path lengths and gradient penalties at some steps only (section 3.1).

    The generator minimises `L_G(C(G(z))) + λ E (‖Jᵀ y‖ − a)²`, where J is the Jacobian of the images in w, y
    an image of noise, a the running mean of the lengths and λ is `arch.path_length_weight` (equation 4); the
    critic `L_C(C(x), C(G(z)))` and the penalties of the loss, those of r1 being `γ/2 E ‖∇C(x)‖²`.

    The generator moves first, as in the authors' code. Every `path_length_every` steps its path lengths are
    regularized, in a step of its own; so is the critic by any gradient penalty that is not taken at every
    update. They weigh as many times as much as they are rarer. An optimizer that takes k + 1 steps in k
    rounds has its rate multiplied by k / (k + 1), and its betas raised to that power.

    Labels of generated samples are drawn apart from those of the real ones, unless the loss compares samples
    of the same label or a penalty is taken between them.
    """

    running_means = ("length",)
    length: Tensor

    def __init__(self, generator: LatentNetwork, critic: nn.Module, spec: LossSpec) -> None:
        if not isinstance(generator, StyledNetwork):
            raise TypeError("path lengths need a generator with a mapping network")
        eager = tuple(penalty for penalty in spec.penalties if penalty.every == 1)
        super().__init__(Duel(generator, critic, replace(spec, penalties=eager)))
        self.lazy = tuple(penalty for penalty in spec.penalties if penalty.every > 1)
        self.synthesis = generator
        self.register_buffer("length", torch.zeros(()))
        self.options: LazyOptions = spec.options or LazyOptions()
        compares = spec.form.relativistic or any(each.points.takes_fakes for each in spec.penalties)
        self.draws_labels = generator.classes > 0 and not compares
        if self.options.path_length_weight > 0:
            every = self.options.path_length_every
            self.duel.generator.slow_down(every / (every + 1))
        if self.lazy:
            every = min(penalty.every for penalty in self.lazy)
            self.duel.critic.slow_down(every / (every + 1))

    def round(self, loader: BatchLoader) -> Scores:
        clock, real = loader.clock, loader.next_batch()
        scores = self.duel.generator.minimise(self.generator_loss, clock, real)
        turn = clock.batch_index // self.batches_per_round % self.options.path_length_every
        if turn == 0 and self.options.path_length_weight > 0:
            scores |= self.duel.generator.minimise(self.path_length_loss, clock, real, counts_all=True)
        for update in range(self.duel.n_critic):
            if update:
                clock, real = loader.clock, loader.next_batch()
            scores |= self.duel.critic.minimise(self.critic_loss, clock, real)
            if any(penalty.due(clock.batch_index) for penalty in self.lazy):
                scores |= self.duel.critic.minimise(self.penalty_loss, clock, real, counts_all=True)
        return scores

    def check_parts(self, batch_size: int, process_size: int, pass_size: int) -> None:
        shrink = self.options.path_length_batch_shrink
        if self.options.path_length_weight > 0 and pass_size < batch_size and pass_size % shrink:
            raise ValueError(
                f"path lengths are measured on 1 of {shrink} samples, and {pass_size} at once are no "
                f"multiple of {shrink}"
            )

    def draw_condition(self, real: Batch) -> Condition:
        """Draws the condition of as many generated samples as the batch has."""
        if not self.draws_labels:
            return real.condition
        shares = self.synthesis.shares
        return (draw_rows(lambda rows: draw_labels(shares, rows), len(real.samples)),)

    def generator_loss(self, clock: Clock, real: Batch) -> Losses:
        """The generator's adversarial loss on as many generated samples as the batch has."""
        condition = self.draw_condition(real)
        fake = self.duel.generate(Batch(real.samples, condition))
        return Losses({"adversarial": self.duel.generator_loss_on(clock, real, fake, condition)})

    def critic_loss(self, clock: Clock, real: Batch) -> Losses:
        """The critic's loss on a batch of real samples and as many generated ones."""
        condition = self.draw_condition(real)
        with torch.no_grad():
            fake = self.duel.generate(Batch(real.samples, condition))
        return self.duel.critic_loss_on(clock, real, fake, condition)

    def penalty_loss(self, clock: Clock, real: Batch) -> Losses:
        """The critic's loss at a step of lazy regularization: the gradient penalties that are due.

        Samples are generated only for points that depend on them: each moves the running mean of w.
        """
        fake = real.samples
        if any(penalty.points.takes_fakes for penalty in self.lazy):
            with torch.no_grad():
                fake = self.duel.generate(real)
        return self.duel.objective.penalty_losses(self.lazy, self.critic_network, clock, real, fake)

    def path_length_loss(self, clock: Clock, real: Batch) -> Losses:
        """Path length regularization `E (|Jᵀ y|₂ − a)²` (equation 4).

        A step in w is to change images by the same length everywhere.

        J is the Jacobian of the images in w, y an image of noise, and a the running mean of the lengths. It
        is moved first, and the gradient goes through its newest part, as in the authors' code.
        """
        like, condition = real.samples, self.draw_condition(real)
        count = max(1, len(like) // self.options.path_length_batch_shrink)
        z = draw_latents(count, self.synthesis.z_dim, like)
        styles = mix_styles(self.synthesis, self.options, z, *(each[:count] for each in condition))
        lengths = path_lengths(self.synthesis, styles)
        mean = self.length.lerp(mean_over_ranks(lengths.mean()), self.options.path_length_decay)
        self.length.copy_(mean.detach())
        weight = self.options.path_length_weight * self.options.path_length_every
        value = (lengths - mean).square().mean() * weight
        return Losses({"path_length": value}, {"path": self.length.clone()})


@in_full_precision
def path_lengths(synthesis: StyledNetwork, styles: Tensor) -> Tensor:
    """Computes path lengths `|Jᵀ y|₂` of styles `(N, layers, w_dim)`: `(N,)`, differentiable.

    They are the root of the mean over layers of the squared length, for y ~ N(0, 1 / pixels).
    """
    if not styles.requires_grad:  # of a mapping network that stays fixed
        styles = styles.detach().requires_grad_()
    with without_compilation():
        images = synthesis.synthesize(styles)
    noise = draw_like(torch.randn_like, images) / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
    return (gradient.square().sum(dim=2).mean(dim=1) + 1e-20).sqrt()
