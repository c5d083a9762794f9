"""ProGAN, progressive growing: both networks begin at 4×4 pixels, and double (Karras et al. 2018)."""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from gans.core.architecture import Architecture, Blueprint
from gans.core.equalized_critic import WidthOptions, activation_layers, critic_head, widths_outwards
from gans.core.fixed_layers import OrderedCritic
from gans.core.growth import (
    GrowingCritic,
    GrowingDuel,
    GrowingGenerator,
    Stage,
    cross_fade,
    enlarge,
    shrink,
    to_full_size,
)
from gans.core.growth_pace import GrowthOptions
from gans.core.presets.progan import BATCHES, PRESETS
from gans.core.presets.rules import channels_by_size
from gans.layers.equalized import GAIN, EqualizedConvolution, EqualizedLinear
from gans.layers.labels import LabelledChain, WithLabel
from gans.layers.norms import PixelNorm
from gans.layers.recomputation import RecomputableLayers
from gans.layers.resample import Blur
from gans.layers.sizes import smallest_size
from losses.core.options import option
from losses.recipe import defaults


@dataclass(frozen=True)
class ProGANOptions(GrowthOptions, WidthOptions):
    """Options of ProGAN: growth and widths."""

    revision: int = option(
        2,
        "Revision of the generator; 1, of earlier versions, has a bias for each of the first pixels.",
        at_least=1,
        at_most=2,
        shapes_network=True,
    )


class Generator(GrowingGenerator):
    """ProGAN generator: noise `(N, z_dim)`, put on a sphere first → images `(N, C, H, W)` (table 2)."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        channels, height, width = blueprint.sample_shape
        widths = widths_outwards(blueprint)
        self.with_label = WithLabel(self.z_dim, self.classes)
        self.stage = Stage(len(widths) - 1)
        self.base = (widths[0], *smallest_size(height, width))
        # The gain is the authors': a quarter of that of the other layers.
        pixels = self.base[1] * self.base[2]
        options = blueprint.options or ProGANOptions()
        shared = pixels if options.revision > 1 else 1
        self.project = EqualizedLinear(self.with_label.total, widths[0] * pixels, gain=GAIN / 4, share=shared)
        self.sphere = PixelNorm()
        first = nn.Sequential(nn.LeakyReLU(0.2), PixelNorm(), *generator_layer(widths[0], widths[0]))
        blocks = [
            RecomputableLayers(*generator_layer(wide, narrow), *generator_layer(narrow, narrow))
            for wide, narrow in pairwise(widths)
        ]
        self.blocks = nn.ModuleList([first, *blocks])
        self.to_image = nn.ModuleList(EqualizedConvolution(wide, channels, 1, gain=1.0) for wide in widths)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.project.weight[:, : self.z_dim],)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        level, share = self.stage.split()
        x = self.blocks[0](self.project(self.sphere(self.with_label(z, *label))).view(-1, *self.base))
        small = x
        for block in self.blocks[1 : level + 1]:
            small, x = x, block(enlarge(x))
        images = cross_fade(lambda: enlarge(self.to_image[level - 1](small)), self.to_image[level](x), share)
        return images if self.training else to_full_size(images, self.stage.levels - level)


class Critic(GrowingCritic, OrderedCritic):
    """ProGAN critic: images `(N, C, H, W)` → logits `(N,)`.

    Args:
        first: index of the size that growing begins at; the smallest of all has 0.
        smooths: whether feature maps are blurred before they shrink.
    """

    def __init__(self, blueprint: Blueprint, first: int = 0, smooths: bool = False) -> None:
        super().__init__()
        channels = blueprint.sample_shape[0]
        widths = widths_outwards(blueprint)
        self.first = first
        self.stage = Stage(len(widths) - 1 - first)
        self.from_image = nn.ModuleList(
            nn.Sequential(EqualizedConvolution(channels, wide, 1), nn.LeakyReLU(0.2))
            for wide in widths[first:]
        )
        self.blocks = nn.ModuleList(
            RecomputableLayers(
                *critic_layer(blueprint, narrow, narrow),
                *[Blur()] * smooths,
                *critic_layer(blueprint, narrow, wide, pools=True),
            )
            for wide, narrow in pairwise(widths)
        )
        self.last = critic_head(blueprint, widths[0])

    @property
    def parts_from_image(self) -> list[list[nn.Module]]:
        parts: list[nn.Module] = []
        for index in reversed(range(len(self.blocks) + 1)):
            parts += [self.from_image[index - self.first]] if index >= self.first else []
            parts += [self.blocks[index - 1]] if index else []
        return [[*parts, *(self.last.chain if isinstance(self.last, LabelledChain) else [self.last])]]

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        level, share = self.stage.split()
        images = x if self.training else shrink(x, self.stage.levels - level)
        x, left = self.from_image[level](images), level + self.first
        if level:
            new, left = self.blocks[left - 1](x), left - 1
            x = cross_fade(lambda: self.from_image[level - 1](shrink(images, 1)), new, share)
        for block in reversed(self.blocks[:left]):
            x = block(x)
        return self.last(x, *label)


def generator_layer(wide: int, narrow: int) -> list[nn.Module]:
    """Layers of a convolution of the generator: leaky ReLU and pixel norm follow it."""
    return [EqualizedConvolution(wide, narrow), nn.LeakyReLU(0.2), PixelNorm()]


def critic_layer(blueprint: Blueprint, narrow: int, wide: int, pools: bool = False) -> list[nn.Module]:
    """Layers of a convolution of the critic, which halves the image with `pools`, with its activation."""
    return activation_layers(blueprint, EqualizedConvolution(narrow, wide, pools=pools), wide)


architecture = Architecture(
    paper="Karras et al. 2018, arXiv:1710.10196",
    generator=Generator,
    critic=Critic,
    takes_labels=True,
    data=("images",),
    default_loss="wgan-gp",
    default_data="shapes",
    minibatch_statistic="deviation",
    game=GrowingDuel,
    options_type=ProGANOptions,
    revision=2,
    presets=PRESETS,
    earlier_options={1: {"revision": 1}},
    departures="""
        * Labels are embedded and appended to the latent, and the critic is a projection critic; the authors'
          critic tells classes instead (AC-GAN).
        * Size, fade, batch and rates follow every image; the authors' code sets them anew every fourth step,
          and moves the EMA before the generator's step instead of after it. So a run is a function of the
          images shown.
    """,
    settings=(
        defaults(
            z_dim=512,
            width=channels_by_size(16384),
            batch_size=16,
            image_size=(256, 256),
            kimg=12_000.0,
            n_critic=1,
            optimizer="adam",
            lr_generator=1e-3,
            lr_critic=1e-3,
            betas=(0.0, 0.99),
            ema_kimg=10.0,
            fade_kimg=600.0,
            stable_kimg=600.0,
            options={"ema.ramp_up": None, **BATCHES},
        ),
        defaults(losses=("wgan-gp", "wgan-lp"), regularizers=(("drift", 0.001),)),
        defaults(
            preset="laptop",
            z_dim=64,
            width=16,
            batch_size=16,
            image_size=(32, 32),
            kimg=80.0,
            fade_kimg=None,
            stable_kimg=None,
            options={
                "ema.ramp_up": 0.05,
                "arch.stage_batch_sizes": (),
                "minibatch_statistic.group_size": 4,
            },
        ),
    ),
)
