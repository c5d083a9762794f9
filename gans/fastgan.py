"""FastGAN: skip-layer excitation, and a critic that also learns to reconstruct images (Liu et al. 2021).

For a few dozen to a few thousand images.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, l1_loss

from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock
from gans.core.game import BatchLoader
from gans.core.networks import Batch, GeneratorNetwork, LatentNetwork
from gans.core.objective import LossSpec
from gans.core.player import Losses, Scores
from gans.core.styles import Noise
from gans.core.two_player import TwoPlayerGame
from gans.dcgan import initialize
from gans.layers.image_convolutions import ImageConv2d
from gans.layers.norms import CriticNorm, dropout
from gans.layers.perceptual import PerceptualDistance
from gans.layers.sizes import count_halvings
from losses.core.batch_parts import draw_rows
from losses.core.device_copies import copy_to
from losses.core.options import option
from losses.recipe import defaults

EXCITED_BEHIND = 4  # doublings from the maps that excite to those that are excited
SLOPE = 0.2  # of the critic's leaky ReLU
DECODED_DOUBLINGS = 4  # at most, of the critic's decoders


@dataclass(frozen=True)
class FastGANOptions:
    """Options of FastGAN: the critic's reconstruction (section 3.2)."""

    reconstruction_weight: float = option(
        1.0, "Weight of the critic's reconstruction of real images.", at_least=0.0, is_schedulable=True
    )
    reconstruction: str = option(
        "plain",
        "Difference that it makes small: plain, of pixels, or perceptual, of features of VGG16, whose "
        "weights torchvision must have on this machine.",
        choices=("plain", "perceptual"),
    )


class Generator(LatentNetwork):
    """FastGAN generator: noise `(N, z_dim)` → images `(N, C, H, W)` in [−1, 1] (figure 3).

    Maps of one size scale the channels of those that are 16 times as large (equation 1); of images below 64
    pixels, the smallest maps scale the largest.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        channels, height, width = blueprint.sample_shape
        steps = count_halvings(height, width)
        sizes = [(height >> i, width >> i) for i in reversed(range(steps + 1))]
        widths = [channels_at(blueprint.width, steps, i) for i in reversed(range(steps + 1))]
        self.base = (widths[0], *sizes[0])
        self.project = nn.Linear(self.z_dim, 2 * widths[0] * sizes[0][0] * sizes[0][1], bias=False)
        self.first = nn.Sequential(nn.BatchNorm2d(2 * widths[0]), nn.GLU(dim=1))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *enlarging_layers(wide, narrow, [nn.BatchNorm2d(2 * narrow)]),
                *noisy_layers(narrow, size) * (index % 2 == 0),
            )
            for index, ((wide, narrow), size) in enumerate(zip(pairwise(widths), sizes[1:], strict=True))
        )
        behind = min(EXCITED_BEHIND, steps)
        self.excitations = nn.ModuleList(
            Excitation(widths[index], widths[index + behind], sizes[0], pooled=2**index)
            for index in range(steps + 1 - behind)
        )
        self.to_image = nn.Sequential(ImageConv2d(widths[-1], channels, 3, padding=1), nn.Tanh())
        self.apply(initialize)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.project.weight,)

    def forward(self, z: Tensor) -> Tensor:
        channels, height, width = self.base
        maps = [self.first(self.project(z).view(-1, 2 * channels, height, width))]
        behind = len(self.blocks) + 1 - len(self.excitations)
        for level, block in enumerate(self.blocks, start=1):
            x = block(maps[-1])
            if level >= behind:
                x = self.excitations[level - behind](x, maps[level - behind])
            maps.append(x)
        return self.to_image(maps[-1])


def channels_at(width: int, steps: int, halvings: int) -> int:
    """Channels of maps that lie a number of halvings below an image, whose smallest are 16 widths deep.

    Sixteen, eight, four, two and two widths from the smallest on, then half as many at every doubling.
    """
    doublings = steps - halvings
    factors = (16, 8, 4, 2, 2)
    factor = factors[doublings] if doublings < len(factors) else 2.0 ** (len(factors) - doublings)
    return max(2, int(width * factor))


def enlarging_layers(wide: int, narrow: int, norm: list[nn.Module]) -> list[nn.Module]:
    """Layers that double the size of maps: repeated pixels, convolution, a norm, gated linear unit."""
    convolution = nn.Conv2d(wide, 2 * narrow, 3, padding=1, bias=False)
    return [nn.Upsample(scale_factor=2), convolution, *norm, nn.GLU(dim=1)]


def noisy_layers(channels: int, size: tuple[int, int]) -> list[nn.Module]:
    """Layers that follow in every other block: noise, convolution, noise, batch norm, gated linear unit."""
    convolution = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
    return [Noise(1, size), convolution, Noise(1, size), nn.BatchNorm2d(2 * channels), nn.GLU(dim=1)]


class Excitation(nn.Module):
    """Skip-layer excitation: small maps decide how much each channel of large ones counts (equation 1).

    Args:
        small, large: channels of both.
        size: pixels to which the small maps are pooled, 4×4 for square images of a power of two.
        pooled: pixels a side that become one.
    """

    def __init__(self, small: int, large: int, size: tuple[int, int], pooled: int = 1) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AvgPool2d(pooled),
            nn.Conv2d(small, large, size, bias=False),
            nn.SiLU(),
            nn.Conv2d(large, large, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, large: Tensor, small: Tensor) -> Tensor:
        """Scales maps `(N, large, H, W)` by gates from maps `(N, small, h, w)`."""
        return large * self.gate(small)


class Critic(nn.Module):
    """FastGAN critic: images `(N, C, H, W)` → logits `(N, h, w)` of overlapping parts (figure 4).

    Two decoders learn to reconstruct real images from its maps: the whole one from the smallest, and a
    quarter of it from the next larger.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        channels, height, width = blueprint.sample_shape
        steps = count_halvings(height, width)
        halvings = max(1, steps - 1)  # to 8 pixels a side
        widths = [channels_at(blueprint.width, steps, i) for i in range(halvings + 1)]
        norm = blueprint.critic_norm
        self.from_image = nn.Sequential(
            ImageConv2d(channels, widths[0], 3, padding=1, bias=False), nn.LeakyReLU(SLOPE)
        )
        self.blocks = nn.ModuleList(
            TwoPathBlock(narrow, wide, norm, blueprint.critic_dropout) for narrow, wide in pairwise(widths)
        )
        last = widths[-1]
        kernel = min(4, height >> halvings, width >> halvings)
        self.to_logits = nn.Sequential(
            *normalized(nn.Conv2d(last, last, 1, bias=False), norm),
            ImageConv2d(last, 1, kernel, bias=False),
            nn.Flatten(1, 2),
        )
        doublings = min(DECODED_DOUBLINGS, halvings)
        self.decode_whole = decoder(last, channels, doublings, norm)
        self.decode_quarter = decoder(widths[-2], channels, min(doublings, halvings - 1), norm)
        self.apply(initialize)

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The smallest maps but one, and the smallest, of images `(N, C, H, W)`."""
        x = self.from_image(images)
        for block in self.blocks[:-1]:
            x = block(x)
        return x, self.blocks[-1](x)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.to_logits(self.maps(images)[1])
        return logits

    def judge_and_reconstruct(
        self, images: Tensor, difference: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Logits of images, and the difference of each decoder's image from what it should be, `(2,)`.

        The quarter is drawn anew for every image.
        """
        larger, smallest = self.maps(images)
        quarters = draw_rows(lambda rows: torch.randint(4, (rows,)), len(images))
        quarters = copy_to(quarters, images.device)[:, None, None, None]
        decoded = {
            self.decode_whole(smallest): images,
            self.decode_quarter(quarter_of(larger, quarters)): quarter_of(images, quarters),
        }
        differences = [difference(made, shrink(target, made)) for made, target in decoded.items()]
        return self.to_logits(smallest), torch.stack(differences)


class TwoPathBlock(nn.Module):
    """Halves maps: the mean of two convolutions and of a pooled 1×1 convolution."""

    def __init__(self, narrow: int, wide: int, norm: CriticNorm, dropped: float) -> None:
        super().__init__()
        self.convolved = nn.Sequential(
            *normalized(nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=False), norm),
            *normalized(nn.Conv2d(wide, wide, 3, padding=1, bias=False), norm),
        )
        self.pooled = nn.Sequential(
            nn.AvgPool2d(2), *normalized(nn.Conv2d(narrow, wide, 1, bias=False), norm), *dropout(dropped)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.convolved(x) + self.pooled(x)) / 2


def normalized(convolution: nn.Conv2d, norm: CriticNorm) -> list[nn.Module]:
    """A convolution with its norm and a leaky ReLU."""
    return [convolution, *norm.of_maps(convolution.out_channels), nn.LeakyReLU(SLOPE)]


def decoder(width: int, channels: int, doublings: int, norm: CriticNorm) -> nn.Module:
    """Builds a decoder: maps `(N, width, h, w)` → images in [−1, 1], larger by a number of doublings."""
    widths = [max(2, width >> i) for i in range(doublings + 1)]
    layers = [
        layer
        for wide, narrow in pairwise(widths)
        for layer in enlarging_layers(wide, narrow, norm.of_maps(2 * narrow))
    ]
    return nn.Sequential(*layers, ImageConv2d(widths[-1], channels, 3, padding=1), nn.Tanh())


def quarter_of(x: Tensor, quarters: Tensor) -> Tensor:
    """Cuts a quarter out of each of maps `(N, C, H, W)`, for numbers 0 to 3 `(N, 1, 1, 1)`: row by row.

    Of an odd number of rows or columns that in the middle belongs to neither half.
    """
    height, width = x.shape[2] // 2, x.shape[3] // 2
    rows = torch.where(quarters < 2, x[:, :, :height], x[:, :, -height:])
    return torch.where(quarters % 2 == 0, rows[..., :width], rows[..., -width:])


def shrink(images: Tensor, like: Tensor) -> Tensor:
    """Shrinks images to the size of others, by means over areas."""
    height, width = like.shape[2:]
    return adaptive_avg_pool2d(images, (height, width))


class FastGame(TwoPlayerGame[LatentNetwork, Critic]):
    """The game of FastGAN: a duel in which the critic also reconstructs real images (equations 2 to 4).

    The critic minimises `L_C(C(x), C(G(z))) + λ (E |d₁(f₁(x)) − x| + E |d₂(f₂(x)) − x'|)`, the generator
    `L_G(C(G(z)))`. Here f₁ are the smallest maps of the critic, f₂ a quarter of the next larger, x' that
    quarter of the image, d₁ and d₂ the decoders, and λ is `arch.reconstruction_weight`.

    What it reconstructs is what it sees: with a critic augmentation, changed images.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        super().__init__(generator, critic, spec)
        self.options: FastGANOptions = spec.options or FastGANOptions()
        is_plain = self.options.reconstruction == "plain"
        self.difference: Callable[[Tensor, Tensor], Tensor] = l1_loss if is_plain else PerceptualDistance()

    def round(self, loader: BatchLoader) -> Scores:
        return self.alternate(loader, self.critic_loss, self.generator_loss)

    def critic_loss(self, clock: Clock, real: Batch) -> Losses:
        """The critic's loss: adversarial, and reconstruction of the real images that it sees."""
        with torch.no_grad():
            fake = self.generator_network.generate(real)
        fake_logits = self.objective.critic_logits(self.critic_network, fake, (), clock)
        seen, _ = self.objective.perturb(real.samples, clock)
        real_logits, differences = self.critic_network.judge_and_reconstruct(seen, self.difference)
        found = self.objective.critic_loss_from_logits(
            self.critic_network, clock, real, fake, real_logits, fake_logits
        )
        reconstruction = self.options.reconstruction_weight * differences.sum()
        return Losses(found.terms | {"reconstruction": reconstruction}, found.logged)

    def generator_loss(self, clock: Clock, real: Batch) -> Losses:
        """The generator's adversarial loss on as many generated samples as the batch has."""
        fake = self.generator_network.generate(real)
        return Losses({"adversarial": self.generator_loss_on(clock, real, fake)})


architecture = Architecture(
    paper="Liu et al. 2021, arXiv:2101.04775",
    generator=Generator,
    critic=Critic,
    data=("images",),
    default_loss="hinge",
    default_data="shapes",
    critic_norm="spectral",
    game=FastGame,
    options_type=FastGANOptions,
    departures="""
        * The critic sees images at one size, as in the paper; that of the authors' code also sees small
          ones.
        * The critic alone has spectral norm, and the generator alone batch norm; the authors' networks have
          both in both.
        * Hinge margins are not jittered, as they are in the authors' code.
        * Images to reconstruct are shrunk by means of areas.
        * The reconstruction loss is the mean absolute difference, unless `arch.reconstruction=perceptual`
          asks for that of VGG16's features.
    """,
    settings=(
        defaults(z_dim=256, width=64, batch_size=8, image_size=(256, 256), kimg=400.0, ema_kimg=5.5),
        defaults(optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.5, 0.999), n_critic=1),
        defaults(critic_augment="diffaugment", options={"diffaugment.policy": ("color", "translation")}),
        defaults(preset="laptop", z_dim=64, width=8, image_size=(32, 32), kimg=24.0),
        defaults(preset="laptop", lr_generator=5e-4, lr_critic=5e-4),
    ),
)
