"""StyleGAN2: demodulated weights, skips and residuals, no growing, path lengths (Karras et al. 2020)."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from gans.batch_statistics.deviation import MinibatchDeviation
from gans.core.architecture import Architecture, Blueprint
from gans.core.equalized_critic import WidthOptions, activation_layers, widths_outwards
from gans.core.fixed_layers import OrderedCritic
from gans.core.lazy_duel import LazyDuel, LazyOptions
from gans.core.networks import StyledNetwork
from gans.core.presets.stylegan2 import FULL, GAMMA, PRESETS, RATE
from gans.core.styles import MappingNetwork, Noise, StyleGAN2Mapping, mix_styles, repeat_styles
from gans.layers.equalized import EqualizedConvolution, EqualizedLinear, ScaledLeakyReLU
from gans.layers.modulation import ModulatedConvolution
from gans.layers.recomputation import RecomputableBlock, RecomputableLayers
from gans.layers.resample import Downsample, Upsample, filter_maps, smoothing_kernel
from gans.layers.sizes import smallest_size
from losses.core.options import option
from losses.recipe import defaults


@dataclass(frozen=True)
class StyleGAN2Options(LazyOptions, WidthOptions):
    """Options of StyleGAN2: mapping network, style mixing, path lengths (appendix B), widths, critic."""

    critic_skips: str = option(
        "residual",
        "Skip connections of the critic's blocks.",
        choices=("residual", "none"),
        shapes_network=True,
    )
    conv_clamp: float | None = option(
        None,
        "Largest magnitude that convolutions return (256 in published files); none: no bound.",
        above=0.0,
        shapes_network=True,
    )
    revision: int = option(
        2,
        "Revision of the generator; 1, of earlier versions, enlarges before it convolves.",
        at_least=1,
        at_most=2,
        shapes_network=True,
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
        self.mapping = mapping_network(blueprint, self.options)
        self.register_buffer("mean", torch.zeros(self.w_dim))
        self.constant = nn.Parameter(torch.randn(widths[0], *base))
        self.first = StyledLayer(self.w_dim, widths[0], widths[0], base, self.options)
        pairs = list(zip(pairwise(widths), sizes[1:], strict=True))
        self.enlarging = nn.ModuleList(
            StyledLayer(self.w_dim, wide, narrow, size, self.options, enlarges=True)
            for (wide, narrow), size in pairs
        )
        self.keeping = nn.ModuleList(
            StyledLayer(self.w_dim, narrow, narrow, size, self.options) for (_, narrow), size in pairs
        )
        self.to_image = nn.ModuleList(
            ImageLayer(self.w_dim, wide, channels, self.options.conv_clamp) for wide in widths
        )
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
        return self.bound(images)


def mapping_network(blueprint: Blueprint, options: StyleGAN2Options) -> nn.Module:
    """Builds the mapping network of the generator; revision 1 had StyleGAN's."""
    if options.revision == 1:
        return MappingNetwork(blueprint.z_dim, blueprint.classes, options)
    lengths = (blueprint.z_dim, blueprint.classes, blueprint.z_dim)
    return StyleGAN2Mapping(*lengths, options.mapping_layers, options.mapping_rate)


class StyledLayer(RecomputableBlock):
    """A demodulated convolution, noise with one learned scale, bias and leaky ReLU."""

    def __init__(
        self,
        w_dim: int,
        wide: int,
        narrow: int,
        size: tuple[int, int],
        options: StyleGAN2Options,
        enlarges: bool = False,
    ) -> None:
        super().__init__()
        transposes = enlarges and options.revision > 1
        self.convolution = ModulatedConvolution(w_dim, wide, narrow, enlarges=transposes)
        self.enlarge = Upsample() if enlarges and not transposes else nn.Identity()
        self.noise = Noise(1, size)
        self.bias = nn.Parameter(torch.zeros(narrow, 1, 1))
        self.activation = ScaledLeakyReLU(options.conv_clamp)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.activation(self.noise(self.convolution(self.enlarge(x), w)) + self.bias)


class ImageLayer(nn.Module):
    """Image layer of one size: a 1×1 convolution that a style scales, without demodulation."""

    def __init__(self, w_dim: int, wide: int, channels: int, clamp: float | None) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(w_dim, wide, channels, kernel_size=1, demodulates=False)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.convolution(x, w) + self.bias
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class Critic(OrderedCritic):
    """StyleGAN2 critic: images `(N, C, H, W)` → logits `(N,)`, with residual blocks (figure 7c).

    With classes the logit is `⟨features, mapped label⟩ / √width`, and nothing else.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        channels = blueprint.sample_shape[0]
        widths = widths_outwards(blueprint)
        self.options: StyleGAN2Options = blueprint.options or StyleGAN2Options()
        is_residual = self.options.critic_skips == "residual"
        self.from_image = nn.Sequential(*critic_layer(blueprint, channels, widths[-1], kernel_size=1))
        self.blocks = nn.Sequential(
            *(
                HalvingBlock(blueprint, n, w)
                if is_residual
                else RecomputableLayers(*halving_layers(blueprint, n, w))
                for n, w in pairwise(widths[::-1])
            )
        )
        wide = widths[0]
        self.last = nn.Sequential(*critic_head(blueprint, wide))
        self.mapping = StyleGAN2Mapping(0, blueprint.classes, wide) if blueprint.classes else None
        self.logit = EqualizedLinear(wide, wide if blueprint.classes else 1, gain=1.0)

    @property
    def parts_from_image(self) -> list[list[nn.Module]]:
        return [[self.from_image, self.blocks, self.last, self.logit]]

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        features = self.logit(self.last(self.blocks(self.from_image(x))))
        if self.mapping is not None:
            features = features * self.mapping(*label) / math.sqrt(features.shape[1])
        return features.sum(dim=1)


class HalvingBlock(RecomputableBlock):
    """Residual block that halves the image: `(N, narrow, H, W)` → `(N, wide, H/2, W/2)`.

    `(f(x) + g(x)) / √2` keeps the variance.
    """

    def __init__(self, blueprint: Blueprint, narrow: int, wide: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(*halving_layers(blueprint, narrow, wide))
        self.skip = nn.Sequential(
            Downsample(), EqualizedConvolution(narrow, wide, kernel_size=1, gain=1.0, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.residual(x) + self.skip(x)) / math.sqrt(2)


def halving_layers(blueprint: Blueprint, narrow: int, wide: int) -> list[nn.Module]:
    """Layers of two convolutions, of which the second halves the image."""
    return critic_layer(blueprint, narrow, narrow) + critic_layer(blueprint, narrow, wide, halves=True)


class HalvingConvolution(nn.Module):
    """Blurred convolution of stride 2: `(N, narrow, H, W)` → `(N, wide, H/2, W/2)`."""

    kernel: Tensor

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.convolution = EqualizedConvolution(narrow, wide, gain=1.0, stride=2, padding=0)
        self.register_buffer("kernel", smoothing_kernel(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(filter_maps(x, self.kernel, padding=2))


def critic_layer(
    blueprint: Blueprint, narrow: int, wide: int, kernel_size: int = 3, halves: bool = False
) -> list[nn.Module]:
    """Layers of a convolution of the critic, of stride 2 with `halves`, with its activation."""
    convolve = (
        HalvingConvolution(narrow, wide)
        if halves
        else EqualizedConvolution(narrow, wide, kernel_size, gain=1.0)
    )
    return activation_layers(blueprint, convolve, wide, activation(blueprint))


def critic_head(blueprint: Blueprint, wide: int) -> list[nn.Module]:
    """Last layers of the critic but the logit: `(N, wide, H, W)` at the smallest size → `(N, wide)`."""
    height, width = smallest_size(*blueprint.sample_shape[1:])
    statistic = (blueprint.minibatch_statistic or MinibatchDeviation)(wide * height * width)
    return [
        statistic,
        *critic_layer(blueprint, wide + statistic.added, wide),
        nn.Flatten(),
        EqualizedLinear(wide * height * width, wide, gain=1.0),
        ScaledLeakyReLU(),
    ]


def activation(blueprint: Blueprint) -> nn.Module:
    """The activation of the critic's convolutions."""
    return ScaledLeakyReLU(blueprint.options.conv_clamp if blueprint.options else None)


architecture = Architecture(
    paper="Karras et al. 2020, arXiv:1912.04958",
    generator=Generator,
    critic=Critic,
    takes_labels=True,
    counted_from_end=("critic.blocks",),
    data=("images",),
    default_loss="r1",
    default_data="shapes",
    minibatch_statistic="deviation",
    game=LazyDuel,
    options_type=StyleGAN2Options,
    revision=2,
    earlier_options={1: {"revision": 1}},
    presets=PRESETS,
    departures="""
        * Fakes have the reals' labels where the loss compares pairs, or a penalty is taken at fakes, since
          pairs are of one class; else they are drawn apart, as published.
        * Truncation of a conditional generator draws each class to its own mean, else every class becomes one
          sample; NVlabs' programs draw it to that of all classes.
        * At sizes for which config F has no values, rate and γ are the rules that its authors published
          later, with ADA.
    """,
    settings=(
        defaults(
            z_dim=512,
            width=FULL,
            batch_size=32,
            image_size=(256, 256),
            kimg=25_000.0,
            n_critic=1,
            optimizer="adam",
            lr_generator=RATE,
            lr_critic=RATE,
            betas=(0.0, 0.99),
            ema_kimg=10.0,
            options={"ema.ramp_up": None},
        ),
        defaults(losses=("r1",), penalty_weight=GAMMA, penalty_every=16),
        defaults(
            preset="laptop",
            z_dim=64,
            width=16,
            batch_size=16,
            image_size=(32, 32),
            kimg=64.0,
            options={"ema.ramp_up": 0.05},
        ),
        # Found by looking: the rule above, 0.013 here, leaves the critic far ahead in so short a run.
        defaults(preset="laptop", losses=("r1",), penalty_weight=0.2),
    ),
)
