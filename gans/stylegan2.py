"""StyleGAN2: demodulated weights, skips and residuals, no growing, path lengths (Karras et al. 2020)."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock
from gans.core.duel import Duel, WrappedGame
from gans.core.equalized_critic import SLOPE, activation_layers, critic_head, widths_outwards
from gans.core.game import BatchLoader
from gans.core.networks import Batch, LatentNetwork, StyledNetwork
from gans.core.objective import LossSpec, penalty_losses
from gans.core.player import Losses, Scores
from gans.core.styles import MappingNetwork, Noise, StyleOptions, mix_styles, repeat_styles
from gans.layers.equalized import EqualizedConvolution
from gans.layers.modulation import ModulatedConvolution
from gans.layers.resample import Downsample, Upsample, filter_maps, smoothing_kernel
from gans.layers.sizes import smallest_size
from losses.core.options import option
from losses.recipe import Rule, defaults

# R1's γ, in StyleGAN2-ADA (Karras et al. 2020, arXiv:2006.06676, appendix C).
GAMMA = Rule("0.0002 · pixels / batch", lambda pixels, batch: 0.0002 * pixels / batch)


@dataclass(frozen=True)
class StyleGAN2Options(StyleOptions):
    """Options of StyleGAN2: the mapping network, style mixing and path length regularization (appendix B)."""

    path_length_weight: float = option(
        2.0, "Weight of path length regularization; 0: none.", at_least=0.0, is_schedulable=True
    )
    path_length_every: int = option(4, "Steps between two turns of path length regularization.", at_least=1)
    path_length_decay: float = option(
        0.01,
        "Share of each turn's path lengths in their running mean.",
        above=0.0,
        at_most=1.0,
        is_schedulable=True,
    )
    path_length_batch_shrink: int = option(
        2, "How many times smaller the batch is on which paths are measured.", at_least=1
    )


class Generator(StyledNetwork):
    """StyleGAN2 generator: noise `(N, z_dim)` → images `(N, C, H, W)`, to which every size adds (figure 7b).

    While it trains, images have no bounds; in evaluation mode they are cut to [−1, 1], with one latent for
    all layers and fixed noise.
    """

    mean: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        channels, height, width = blueprint.sample_shape
        widths = widths_outwards(blueprint)
        self.w_dim = self.z_dim
        self.options: StyleGAN2Options = blueprint.options or StyleGAN2Options()
        base = smallest_size(height, width)
        sizes = [(base[0] << i, base[1] << i) for i in range(len(widths))]
        self.mapping = MappingNetwork(self.z_dim, self.classes, self.options)
        self.register_buffer("mean", torch.zeros(self.w_dim))
        self.constant = nn.Parameter(torch.randn(widths[0], *base))
        self.first = StyledLayer(self.w_dim, widths[0], widths[0], base)
        pairs = list(zip(pairwise(widths), sizes[1:], strict=True))
        self.enlarging = nn.ModuleList(
            StyledLayer(self.w_dim, wide, narrow, size, enlarges=True) for (wide, narrow), size in pairs
        )
        self.keeping = nn.ModuleList(
            StyledLayer(self.w_dim, narrow, narrow, size) for (_, narrow), size in pairs
        )
        self.to_image = nn.ModuleList(ImageLayer(self.w_dim, wide, channels) for wide in widths)
        self.enlarge = Upsample()

    @property
    def styles(self) -> int:
        return 2 * len(self.to_image)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return tuple(part.style.weight for part in self.modules() if isinstance(part, ModulatedConvolution))

    def map(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.mapping(z, *label)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.synthesize(
            mix_styles(self, self.options, z, *label) if self.training else self.map(z, *label)
        )

    def synthesize(self, w: Tensor) -> Tensor:
        styles = repeat_styles(w, self.styles).unbind(dim=1)
        x = self.first(self.constant.expand(w.shape[0], -1, -1, -1), styles[0])
        images = self.to_image[0](x, styles[1])
        for index, (enlarging, keeping) in enumerate(zip(self.enlarging, self.keeping, strict=True)):
            # The image layer of a size shares its style with the first layer of the next, as published.
            x = keeping(enlarging(x, styles[2 * index + 1]), styles[2 * index + 2])
            images = self.enlarge(images) + self.to_image[index + 1](x, styles[2 * index + 3])
        return images if self.training else images.clamp(-1, 1)


class StyledLayer(nn.Module):
    """A demodulated convolution, noise with one learned scale, bias and leaky ReLU."""

    def __init__(
        self, w_dim: int, wide: int, narrow: int, size: tuple[int, int], enlarges: bool = False
    ) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(w_dim, wide, narrow)
        self.enlarge = Upsample() if enlarges else nn.Identity()
        self.noise = Noise(1, size)
        self.bias = nn.Parameter(torch.zeros(narrow, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.noise(self.convolution(self.enlarge(x), w)) + self.bias
        return leaky_relu(x, SLOPE) * math.sqrt(2)


class ImageLayer(nn.Module):
    """Image layer of one size: a 1×1 convolution that a style scales, without demodulation."""

    def __init__(self, w_dim: int, wide: int, channels: int) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(w_dim, wide, channels, kernel_size=1, demodulates=False)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.convolution(x, w) + self.bias


class Critic(nn.Module):
    """StyleGAN2 critic: images `(N, C, H, W)` → logits `(N,)`, with residual blocks (figure 7c)."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        channels = blueprint.sample_shape[0]
        widths = widths_outwards(blueprint)
        self.from_image = nn.Sequential(*critic_layer(blueprint, channels, widths[-1], kernel_size=1))
        self.blocks = nn.Sequential(*(HalvingBlock(blueprint, n, w) for n, w in pairwise(widths[::-1])))
        self.last = critic_head(blueprint, widths[0])

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        return self.last(self.blocks(self.from_image(x)), *label)


class HalvingBlock(nn.Module):
    """Residual block that halves the image: `(N, narrow, H, W)` → `(N, wide, H/2, W/2)`.

    `(f(x) + g(x)) / √2` keeps the variance.
    """

    def __init__(self, blueprint: Blueprint, narrow: int, wide: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *critic_layer(blueprint, narrow, narrow), *critic_layer(blueprint, narrow, wide, halves=True)
        )
        self.skip = nn.Sequential(
            Downsample(), EqualizedConvolution(narrow, wide, kernel_size=1, gain=1.0, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.residual(x) + self.skip(x)) / math.sqrt(2)


class HalvingConvolution(nn.Module):
    """Blurred convolution of stride 2: `(N, narrow, H, W)` → `(N, wide, H/2, W/2)`."""

    kernel: Tensor

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.convolution = EqualizedConvolution(narrow, wide, stride=2, padding=0)
        self.register_buffer("kernel", smoothing_kernel(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(filter_maps(x, self.kernel, padding=2))


def critic_layer(
    blueprint: Blueprint, narrow: int, wide: int, kernel_size: int = 3, halves: bool = False
) -> list[nn.Module]:
    """Layers of a convolution of the critic, of stride 2 with `halves`, with its activation."""
    convolve = HalvingConvolution(narrow, wide) if halves else EqualizedConvolution(narrow, wide, kernel_size)
    return activation_layers(blueprint, convolve, wide)


class LazyDuel(WrappedGame):
    """A duel with lazy regularization: path lengths and gradient penalties at some steps only (section 3.1).

    Every `path_length_every` steps the generator's path lengths are regularized; so is the critic by any
    gradient penalty that is not taken at every update. They weigh as many times as much as they are rarer. An
    optimizer that takes k + 1 steps in k rounds has its rate multiplied by k / (k + 1), and its betas raised
    to that power.
    """

    length: Tensor

    def __init__(self, generator: LatentNetwork, critic: nn.Module, spec: LossSpec) -> None:
        if not isinstance(generator, StyledNetwork):
            raise TypeError("path lengths need a generator with a mapping network")
        eager = tuple(penalty for penalty in spec.penalties if penalty.every == 1)
        super().__init__(Duel(generator, critic, replace(spec, penalties=eager)))
        self.lazy = tuple(penalty for penalty in spec.penalties if penalty.every > 1)
        self.synthesis = generator
        self.register_buffer("length", torch.zeros(()))
        self.options: StyleGAN2Options = spec.options or StyleGAN2Options()
        if self.options.path_length_weight > 0:
            every = self.options.path_length_every
            self.duel.generator.slow_down(every / (every + 1))
        if self.lazy:
            every = min(penalty.every for penalty in self.lazy)
            self.duel.critic.slow_down(every / (every + 1))

    def round(self, loader: BatchLoader) -> Scores:
        scores: Scores = {}
        first = loader.clock.batch_index
        for _ in range(self.duel.n_critic):
            clock, real = loader.clock, loader.next_batch()
            scores |= self.duel.critic.minimise(self.duel.critic_loss, clock, real)
            if any(penalty.due(clock.batch_index) for penalty in self.lazy):
                scores |= self.duel.critic.minimise(self.penalty_loss, clock, real)
        scores |= self.duel.generator.minimise(self.duel.generator_loss, clock, real)
        turn = first // self.batches_per_round % self.options.path_length_every
        if turn == 0 and self.options.path_length_weight > 0:
            scores |= self.duel.generator.minimise(self.path_length_loss, clock, real)
        return scores

    def penalty_loss(self, clock: Clock, real: Batch) -> Losses:
        """The critic's loss at a step of lazy regularization: the gradient penalties that are due."""
        with torch.no_grad():
            fake = self.duel.generate(real)
        return penalty_losses(self.lazy, self.duel.critic_network, clock, real, fake)

    def path_length_loss(self, clock: Clock, real: Batch) -> Losses:
        """Path length regularization `E (|Jᵀ y|₂ − a)²` (equation 4).

        A step in w is to change images by the same length everywhere.

        J is the Jacobian of the images in w, y an image of noise, and a the running mean of the lengths.
        """
        like = real.samples
        count = max(1, len(like) // self.options.path_length_batch_shrink)
        z = torch.randn(count, self.synthesis.z_dim, device=like.device, dtype=like.dtype)
        w = self.synthesis.map(z, *(each[:count] for each in real.condition))
        styles = repeat_styles(w, self.synthesis.styles)
        lengths = path_lengths(self.synthesis, styles)
        self.length.lerp_(lengths.detach().mean(), self.options.path_length_decay)
        weight = self.options.path_length_weight * self.options.path_length_every
        value = (lengths - self.length).square().mean() * weight
        return Losses({"path_length": value}, {"path": self.length.clone()})


def path_lengths(synthesis: StyledNetwork, styles: Tensor) -> Tensor:
    """Computes path lengths `|Jᵀ y|₂` of styles `(N, layers, w_dim)`: `(N,)`, differentiable.

    They are the root of the mean over layers of the squared length, for y ~ N(0, 1 / pixels).
    """
    images = synthesis.synthesize(styles)
    noise = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
    return (gradient.square().sum(dim=2).mean(dim=1) + 1e-20).sqrt()


architecture = Architecture(
    paper="Karras et al. 2020, arXiv:1912.04958",
    generator=Generator,
    critic=Critic,
    takes_labels=True,
    data=("images",),
    default_loss="r1",
    default_data="shapes",
    minibatch_statistic="deviation",
    game=LazyDuel,
    options_type=StyleGAN2Options,
    settings=(
        defaults(
            z_dim=512,
            width=128,
            batch_size=32,
            image_size=(256, 256),
            kimg=25_000.0,
            n_critic=1,
            optimizer="adam",
            lr_generator=2.5e-3,
            lr_critic=2.5e-3,
            betas=(0.0, 0.99),
            ema_kimg=10.0,
        ),
        defaults(losses=("r1",), penalty_weight=GAMMA, penalty_every=16),
        defaults(
            preset="laptop",
            z_dim=64,
            width=16,
            batch_size=16,
            image_size=(32, 32),
            kimg=64.0,
        ),
        # Found by looking: the rule above, 0.013 here, leaves the critic far ahead in so short a run.
        defaults(preset="laptop", losses=("r1",), penalty_weight=0.2),
    ),
)
