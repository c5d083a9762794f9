"""pix2pix: a U-Net translator trained on pairs, with a critic that sees both images (Isola et al. 2017)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock
from gans.core.duel import Duel, WrappedGame
from gans.core.game import BatchLoader
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.player import Losses, Scores
from gans.core.presets.translation import PIX2PIX_PRESETS
from gans.core.translation import (
    DomainTranslator,
    NormOptions,
    PatchCritic,
    PatchOptions,
    WeightOptions,
    check_size_multiple,
    initialize,
    norm_option,
)
from gans.core.two_way import split_domains
from gans.layers.image_convolutions import ImageConv2d, ImageConvTranspose2d
from gans.layers.norms import drop_features, generator_norm
from losses.core.options import option
from losses.recipe import defaults

DEEPEST = 8  # halvings
NOISELESS = 5  # layers of the authors' decoder that drop no features: the innermost, and those of less width
WIDEST = 8  # channels stop doubling at this multiple of the width


@dataclass(frozen=True)
class Pix2PixOptions(NormOptions, WeightOptions, PatchOptions):
    """Options of pix2pix: weights of the losses, and layers of both networks."""

    norm: str = norm_option("batch")
    l1_weight: float = option(
        100.0, "Weight of the mean absolute error (equation 4).", at_least=0.0, is_schedulable=True
    )
    noisy_layers: int | None = option(
        None,
        "Layers of the decoder that drop half of their features; by default as published, one for each "
        "halving beyond 5, and one at least.",
        at_least=0,
        shapes_network=True,
    )
    first_noisy_layer: int = option(
        1,
        "First layer of the decoder that drops features, counted from the innermost, 0.",
        at_least=0,
        shapes_network=True,
    )
    halvings: int | None = option(
        None,
        "Layers of the encoder, which halve the image; by default as many as it has room for, up to 8.",
        at_least=2,
        shapes_network=True,
    )


class UNet(DomainTranslator):
    """U-Net generator: images of domain A `(N, C, H, W)` → images of B in [−1, 1] (appendix 6.1.1).

    The encoder halves the image until nothing is left to halve, eight times at most. Its noise is dropout,
    which the paper leaves on when the network is used: what it makes is random, as a seed says. A convolution
    has a bias where no norm follows that has a shift of its own; with batch norm none has, but the last.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        channels, height, width = blueprint.sample_shape
        check_size_multiple(blueprint, 4)
        self.options: Pix2PixOptions = blueprint.options or Pix2PixOptions()
        depth = depth_of(self.options, height, width)
        self.multiple = 2**depth
        widths = [blueprint.width * min(2**i, WIDEST) for i in range(depth)]
        self.down = nn.ModuleList()
        for index, wide in enumerate(widths):
            narrow = widths[index - 1] if index else channels
            # Neither the first layer nor the last, which may be a single pixel, has a norm.
            has_norm = 0 < index < depth - 1
            self.down.append(_halving(narrow, wide, self.options, has_norm, begins=index == 0))
        self.up = nn.ModuleList()
        for index in reversed(range(1, depth)):
            inputs = widths[index] * (1 if index == depth - 1 else 2)
            self.up.append(_doubling(inputs, widths[index - 1], self.options))
        self.last = nn.Sequential(
            nn.ReLU(), ImageConvTranspose2d(2 * widths[0], channels, 4, stride=2, padding=1), nn.Tanh()
        )
        self.apply(initialize)

    @property
    def targets(self) -> tuple[str, ...]:
        return ("B",)

    @property
    def noisy(self) -> range:
        """Layers of the decoder that drop features, counted from the innermost, 0."""
        layers = len(self.up)
        count = self.options.noisy_layers
        count = max(1, layers + 1 - NOISELESS) if count is None else count
        first = min(self.options.first_noisy_layer, layers - 1)
        return range(first, min(layers, first + min(count, max(1, layers - 1))))

    def forward(self, a: Tensor) -> Tensor:
        kept = [a]
        for halve in self.down:
            kept.append(halve(kept[-1]))
        x = kept.pop()
        noisy = self.noisy
        for index, double in enumerate(self.up):
            x = double(x)
            x = drop_features(x, 0.5) if index in noisy else x
            x = torch.cat([x, kept.pop()], dim=1)
        images: Tensor = self.last(x)
        return images

    def translate(self, images: Tensor, to: str) -> Tensor:
        return self(images)

    def generate(self, like: Batch) -> Tensor:
        return self.translate(like.condition[0], "B")

    def columns(self, batch: Batch) -> dict[str, Tensor]:
        a, b = split_domains(batch)
        return {"input": a, "output": self(a), "target": b}


def depth_of(options: Pix2PixOptions, height: int, width: int) -> int:
    """Number of halvings of a U-Net. Raises ValueError for more than both sides of the image allow."""
    most = _halvings(height, width)
    asked = options.halvings or min(DEEPEST, most)
    if asked > most:
        raise ValueError(
            f"image size {height}x{width}: its sides can be halved {most} times, not {asked}; take "
            f"arch.halvings={most}, or sides that are multiples of {2**asked}"
        )
    return asked


def _halvings(height: int, width: int) -> int:
    """Number of times both sides can be halved."""
    count = 0
    while height % 2 == 0 and width % 2 == 0:
        height, width, count = height // 2, width // 2, count + 1
    return count


def _halving(narrow: int, wide: int, options: Pix2PixOptions, has_norm: bool, begins: bool) -> nn.Sequential:
    """Encoder layers that halve the image: leaky ReLU unless it begins, convolution, and a norm."""
    layers: list[nn.Module] = [] if begins else [nn.LeakyReLU(0.2)]
    has_bias = options.norm == "plain-instance" or (options.norm == "instance" and not has_norm)
    layers += [ImageConv2d(narrow, wide, 4, stride=2, padding=1, bias=has_bias)]
    return nn.Sequential(*layers, *[_norm(options, wide)] * has_norm)


def _doubling(wide: int, narrow: int, options: Pix2PixOptions) -> nn.Sequential:
    """Decoder layers that double the image: ReLU, transposed convolution, norm."""
    has_bias = options.norm == "plain-instance"
    transposed = nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=has_bias)
    return nn.Sequential(nn.ReLU(), transposed, _norm(options, narrow))


def _norm(options: Pix2PixOptions, channels: int) -> nn.Module:
    """The norm of the U-Net, for that many channels."""
    return generator_norm(options.norm, channels, options.norm_statistics)


def critic(blueprint: Blueprint) -> PatchCritic:
    """Builds the patch critic, which sees input and output side by side (section 3.2.2)."""
    return PatchCritic(blueprint, 2 * blueprint.sample_shape[0])


class PairedDuel(WrappedGame):
    """The game of pix2pix: a duel whose generator also minimises the L1 distance to the target.

    The generator minimises `L_G(C(a, G(a))) + λ E |b − G(a)|` of pairs a, b (equations 3 and 4), where λ is
    `arch.l1_weight`; the critic `½ L_C(C(a, b), C(a, G(a)))`, halved as in section 3.3.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        super().__init__(Duel(generator, critic, spec))
        self.options: Pix2PixOptions = spec.options or Pix2PixOptions()

    def round(self, loader: BatchLoader) -> Scores:
        return self.duel.alternate(loader, self.critic_loss, self.generator_loss)

    def critic_loss(self, clock: Clock, real: Batch) -> Losses:
        """The critic's loss on inputs beside their targets, and beside what is generated."""
        return self.duel.objective.weigh(self.duel.critic_loss(clock, real), self.options.critic_factor)

    def generator_loss(self, clock: Clock, real: Batch) -> Losses:
        """The generator's loss: adversarial, and λ times the mean L1 distance to the target."""
        fake, objective = self.duel.generate(real), self.duel.objective
        adversarial = self.duel.generator_loss_on(clock, real, fake)
        distance = self.options.l1_weight * l1_loss(fake, real.samples)
        losses = Losses({"adversarial": adversarial, "l1": distance})
        return objective.weigh(losses, self.options.adversarial_weight)


architecture = Architecture(
    paper="Isola et al. 2017, arXiv:1611.07004",
    generator=UNet,
    critic=critic,
    counted_from_end=("generator.up",),
    data=("images",),
    task="pairs",
    default_loss="bce",
    default_data="shapes-paired",
    critic_norm="batch",
    game=PairedDuel,
    options_type=Pix2PixOptions,
    revision=2,
    earlier_options={1: {"norm": "instance", "noisy_layers": 3, "first_noisy_layer": 0}},
    presets=PIX2PIX_PRESETS,
    departures="""
        * Noise is drawn anew for the generator's step, as in every game here that may have several steps of
          the critic; the authors show the same image to the critic and take it for the generator's step.
        * Images below 64 pixels, for which there is no published U-Net, keep one layer with noise: else there
          would be none.
        * Patch critics of images below 64 pixels have fewer strided layers than three, since a patch would be
          larger than the image.
        * Under the laptop preset the norms are instance norms, since batches of eight have other statistics
          than the single images that the network is used on; at the paper's batch size of one both are the
          same.
    """,
    settings=(
        defaults(width=64, batch_size=1, image_size=(256, 256), kimg=80.0, n_critic=1, ema_kimg=0.0),
        defaults(optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.5, 0.999)),
        defaults(preset="laptop", width=16, batch_size=8, image_size=(32, 32), kimg=40.0),
        defaults(preset="laptop", lr_generator=1e-3, lr_critic=1e-3),
        # In the paper a batch is one image, as when the network is used; statistics of eight are others.
        defaults(preset="laptop", critic_norm="instance", arch={"norm": "instance"}),
    ),
)
