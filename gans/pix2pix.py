"""pix2pix: a U-Net translator trained on pairs, with a critic that sees both images (Isola et al. 2017)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, l1_loss

from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock
from gans.core.duel import Duel, WrappedGame
from gans.core.game import BatchLoader
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.player import Losses, Scores
from gans.core.translation import DomainTranslator, PatchCritic, PatchOptions, check_size_multiple, initialize
from gans.core.two_way import split_domains
from losses.core.options import option
from losses.recipe import defaults

DEEPEST = 8  # halvings
WIDEST = 8  # channels stop doubling at this multiple of the width


@dataclass(frozen=True)
class Pix2PixOptions(PatchOptions):
    """Options of pix2pix."""

    l1_weight: float = option(
        100.0, "Weight of the mean absolute error (equation 4).", at_least=0.0, is_schedulable=True
    )
    noisy_layers: int = option(
        3,
        "Innermost layers of the decoder that drop half of their features.",
        at_least=0,
        shapes_network=True,
    )


class UNet(DomainTranslator):
    """U-Net generator: images of domain A `(N, C, H, W)` → images of B in [−1, 1] (appendix 6.1.1).

    The encoder halves the image until nothing is left to halve, eight times at most. Its noise is dropout,
    which the paper leaves on when the network is used: what it makes is random, as a seed says.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        channels, height, width = blueprint.sample_shape
        check_size_multiple(blueprint, 4)
        depth = min(DEEPEST, _halvings(height, width))
        self.multiple = 2**depth
        self.noisy_layers = (blueprint.options or Pix2PixOptions()).noisy_layers
        widths = [blueprint.width * min(2**i, WIDEST) for i in range(depth)]
        self.down = nn.ModuleList()
        for index, wide in enumerate(widths):
            narrow = widths[index - 1] if index else channels
            # Neither the first layer nor the last, which may be a single pixel, has a norm.
            self.down.append(_halving(narrow, wide, has_norm=0 < index < depth - 1, begins=index == 0))
        self.up = nn.ModuleList()
        for index in reversed(range(1, depth)):
            inputs = widths[index] * (1 if index == depth - 1 else 2)
            self.up.append(_doubling(inputs, widths[index - 1]))
        self.last = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], channels, 4, stride=2, padding=1), nn.Tanh()
        )
        self.apply(initialize)

    @property
    def targets(self) -> tuple[str, ...]:
        return ("B",)

    def forward(self, a: Tensor) -> Tensor:
        kept = [a]
        for halve in self.down:
            kept.append(halve(kept[-1]))
        x = kept.pop()
        noisy = min(self.noisy_layers, max(1, len(self.up) - 1))
        for index, double in enumerate(self.up):
            x = double(x)
            x = dropout(x, 0.5) if index < noisy else x
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


def _halvings(height: int, width: int) -> int:
    """Number of times both sides can be halved."""
    count = 0
    while height % 2 == 0 and width % 2 == 0:
        height, width, count = height // 2, width // 2, count + 1
    return count


def _halving(narrow: int, wide: int, has_norm: bool, begins: bool) -> nn.Sequential:
    """Encoder layers that halve the image: leaky ReLU unless it begins, convolution, instance norm."""
    layers: list[nn.Module] = [] if begins else [nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=not has_norm)]
    return nn.Sequential(*layers, *[nn.InstanceNorm2d(wide, affine=True)] * has_norm)


def _doubling(wide: int, narrow: int) -> nn.Sequential:
    """Decoder layers that double the image: ReLU, transposed convolution, instance norm."""
    transposed = nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(nn.ReLU(), transposed, nn.InstanceNorm2d(narrow, affine=True))


def critic(blueprint: Blueprint) -> PatchCritic:
    """Builds the patch critic, which sees input and output side by side (section 3.2.2)."""
    return PatchCritic(blueprint, 2 * blueprint.sample_shape[0])


class PairedDuel(WrappedGame):
    """The game of pix2pix: a duel whose generator also minimises the L1 distance to the target.

    See equations 3 and 4.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        super().__init__(Duel(generator, critic, spec))
        self.options: Pix2PixOptions = spec.options or Pix2PixOptions()

    def round(self, loader: BatchLoader) -> Scores:
        return self.duel.alternate(loader, self.duel.critic_loss, self.generator_loss)

    def generator_loss(self, clock: Clock, real: Batch) -> Losses:
        """The generator's loss: adversarial, and λ times the mean L1 distance to the target."""
        fake = self.duel.generate(real)
        adversarial = self.duel.objective.generator_loss(self.duel.critic_network, clock, real, fake)
        distance = self.options.l1_weight * l1_loss(fake, real.samples)
        return Losses({"adversarial": adversarial, "l1": distance})


architecture = Architecture(
    paper="Isola et al. 2017, arXiv:1611.07004",
    generator=UNet,
    critic=critic,
    counted_from_end=("generator.up",),
    data=("images",),
    task="pairs",
    default_loss="bce",
    default_data="shapes-paired",
    critic_norm="instance",
    game=PairedDuel,
    options_type=Pix2PixOptions,
    settings=(
        defaults(width=64, batch_size=1, image_size=(256, 256), kimg=80.0, n_critic=1, ema_kimg=0.0),
        defaults(optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.5, 0.999)),
        defaults(preset="laptop", width=16, batch_size=8, image_size=(32, 32), kimg=40.0),
        defaults(preset="laptop", lr_generator=1e-3, lr_critic=1e-3),
    ),
)
