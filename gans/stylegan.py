"""StyleGAN: a mapping network, styles at every layer, noise, and progressive growing (Karras et al. 2019)."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gans.core.architecture import Architecture, Blueprint
from gans.core.equalized_critic import SLOPE, WidthOptions, widths_outwards
from gans.core.growth import (
    GrowingDuel,
    GrowingGenerator,
    Stage,
    cross_fade,
    enlarge,
    to_full_size,
)
from gans.core.growth_pace import GrowthOptions
from gans.core.networks import StyledNetwork
from gans.core.presets.rules import channels_by_size
from gans.core.presets.stylegan import BY_SIZE, PRESETS, WASSERSTEIN_FACTORS
from gans.core.styles import MappingNetwork, Noise, StyleOptions, mix_styles, repeat_styles
from gans.layers.equalized import EqualizedConvolution, EqualizedLinear
from gans.layers.recomputation import RecomputableBlock
from gans.layers.resample import Blur
from gans.layers.sizes import smallest_size
from gans.progan import Critic
from losses.core.precision import in_full_precision
from losses.recipe import defaults

FIRST = 1  # index of the size that growing begins at: 8×8 pixels


@dataclass(frozen=True)
class StyleGANOptions(StyleOptions, GrowthOptions, WidthOptions):
    """Options of StyleGAN: growth, widths, the mapping network and style mixing."""


class Generator(GrowingGenerator, StyledNetwork):
    """StyleGAN generator: noise `(N, z_dim)` → images `(N, C, H, W)`.

    While it trains, every sample may take the styles of a second latent from some layer on (section 3.1),
    and noise is drawn anew; in evaluation mode there is one latent, and the noise is fixed.
    """

    mean: Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        channels, height, width = blueprint.sample_shape
        widths = widths_outwards(blueprint)
        if len(widths) < FIRST + 1:
            raise ValueError(f"image size {height}x{width}: growing begins at 8 to 15 pixels")
        self.w_dim = self.z_dim
        self.options: StyleGANOptions = blueprint.options or StyleGANOptions()
        self.stage = Stage(len(widths) - 1 - FIRST)
        base = smallest_size(height, width)
        self.mapping = MappingNetwork(self.z_dim, self.classes, self.options)
        self.register_buffer("mean", torch.zeros(self.w_dim))
        self.constant = nn.Parameter(torch.ones(widths[0], *base))
        sizes = [(base[0] << i, base[1] << i) for i in range(len(widths))]
        self.first = Epilogue(self.w_dim, widths[0], base)
        self.second = StyledConvolution(self.w_dim, widths[0], widths[0], base)
        pairs = list(zip(pairwise(widths), sizes[1:], strict=True))
        self.enlarging = nn.ModuleList(
            StyledConvolution(self.w_dim, wide, narrow, size, enlarges=True) for (wide, narrow), size in pairs
        )
        self.keeping = nn.ModuleList(
            StyledConvolution(self.w_dim, narrow, narrow, size) for (_, narrow), size in pairs
        )
        self.to_image = nn.ModuleList(
            EqualizedConvolution(wide, channels, 1, gain=1.0) for wide in widths[FIRST:]
        )

    @property
    def styles(self) -> int:
        """Number of layers that take a style, at the size reached."""
        return 2 * (self.stage.split()[0] + FIRST + 1)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return tuple(part.style.weight for part in self.modules() if isinstance(part, Epilogue))

    def map(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.mapping(z, *label)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.synthesize(
            mix_styles(self, self.options, z, *label) if self.training else self.map(z, *label)
        )

    def synthesize(self, w: Tensor) -> Tensor:
        level, share = self.stage.split()
        styles = repeat_styles(w, self.styles).unbind(dim=1)
        x = self.first(self.constant.expand(w.shape[0], -1, -1, -1), styles[0])
        x = small = self.second(x, styles[1])
        for index in range(level + FIRST):
            small, wide = x, self.enlarging[index](x, styles[2 * index + 2])
            x = self.keeping[index](wide, styles[2 * index + 3])
        images = cross_fade(lambda: enlarge(self.to_image[level - 1](small)), self.to_image[level](x), share)
        return images if self.training else to_full_size(images, self.stage.levels - level)


class Epilogue(nn.Module):
    """Layers after every convolution of the generator: noise bias, leaky ReLU, AdaIN."""

    def __init__(self, w_dim: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.noise = Noise(channels, size)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.style = EqualizedLinear(w_dim, 2 * channels, gain=1.0)

    @in_full_precision
    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Transforms `(N, C, H, W)` by w `(N, w_dim)`; the shape stays."""
        x = leaky_relu(self.noise(x) + self.bias, SLOPE)
        return adaptive_instance_norm(x, *self.style(w).chunk(2, dim=1))


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """AdaIN: `(1 + scale) (x − μ) / σ + shift`, μ and σ of each feature map (equation 1).

    Scale and shift are `(N, C)`; a style of zeros leaves the normalized map (Huang & Belongie 2017).
    """
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
    normalized = (x - mean) * torch.rsqrt(variance + 1e-8)
    return torch.addcmul(shift[:, :, None, None], normalized, 1 + scale[:, :, None, None])


class StyledConvolution(RecomputableBlock):
    """A convolution with its epilogue; with `enlarges`, pixels are doubled before and blurred after it."""

    def __init__(
        self, w_dim: int, wide: int, narrow: int, size: tuple[int, int], enlarges: bool = False
    ) -> None:
        super().__init__()
        self.convolution = EqualizedConvolution(wide, narrow, bias=False)
        self.epilogue = Epilogue(w_dim, narrow, size)
        self.smooth = Blur()
        self.enlarges = enlarges

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.smooth(self.convolution(enlarge(x))) if self.enlarges else self.convolution(x)
        return self.epilogue(x, w)


def critic(blueprint: Blueprint) -> Critic:
    """Builds the StyleGAN critic: images `(N, C, H, W)` → logits `(N,)`.

    It is ProGAN's, but blurs before it shrinks, and begins at 8×8.
    """
    return Critic(blueprint, first=FIRST, smooths=True)


architecture = Architecture(
    paper="Karras et al. 2019, arXiv:1812.04948",
    generator=Generator,
    critic=critic,
    takes_labels=True,
    data=("images",),
    default_loss="r1",
    default_data="shapes",
    minibatch_statistic="deviation",
    game=GrowingDuel,
    options_type=StyleGANOptions,
    revision=2,
    presets=PRESETS,
    earlier_options={1: {}},
    departures="""
        * Growing begins at 8×8 pixels, so there are no layers to and from 4×4 images. So its authors train
          it; their files hold these layers, unused.
        * Labels are embedded and appended to the latent, and the critic is a projection critic; in the
          authors' code the critic has a logit for each class, of which the label picks one.
        * Size, fade, batch and rates follow every image; the authors' code sets them anew every fourth step,
          and moves the EMA before the generator's step instead of after it. So a run is a function of the
          images shown.
    """,
    settings=(
        defaults(
            z_dim=512,
            width=channels_by_size(16384),
            batch_size=32,
            image_size=(256, 256),
            kimg=25_000.0,
            n_critic=1,
            optimizer="adam",
            lr_generator=1e-3,
            lr_critic=1e-3,
            betas=(0.0, 0.99),
            ema_kimg=10.0,
            fade_kimg=600.0,
            stable_kimg=600.0,
            options={"ema.ramp_up": None, **BY_SIZE},
        ),
        defaults(losses=("r1",), penalty_weight=10.0),
        defaults(
            losses=("wgan-gp", "wgan-lp"),
            regularizers=(("drift", 0.001),),
            options={"arch.stage_rate_factors": WASSERSTEIN_FACTORS},
        ),
        defaults(
            preset="laptop",
            z_dim=64,
            width=16,
            batch_size=16,
            image_size=(32, 32),
            kimg=140.0,
            lr_generator=2.5e-3,
            lr_critic=2.5e-3,
            fade_kimg=None,
            stable_kimg=None,
            options={"ema.ramp_up": 0.05, "arch.stage_batch_sizes": (), "arch.stage_rate_factors": ()},
        ),
        # Found by looking: 10 leaves so small a critic blind, 0.2 so quick that clothes come out dotted.
        defaults(preset="laptop", losses=("r1",), penalty_weight=1.0),
    ),
)
