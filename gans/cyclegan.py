"""CycleGAN: unpaired translation between two domains, with cycle consistency (Zhu et al. 2017)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gans.core.architecture import Architecture, Blueprint
from gans.core.clock import Clock
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.player import Losses, Scores
from gans.core.presets.translation import CYCLEGAN_PRESETS
from gans.core.translation import (
    Borders,
    DomainTranslator,
    NormOptions,
    PatchOptions,
    ResidualForm,
    WeightOptions,
    check_size_multiple,
    initialize,
    residual_block_count,
    residual_translator,
)
from gans.core.two_way import DomainCritics, ImagePool, Pair, TwoWayGame, split_domains
from losses.core.options import option
from losses.recipe import defaults

TARGETS = {"both": ("A", "B"), "a-to-b": ("B",), "b-to-a": ("A",)}  # of each choice of directions


@dataclass(frozen=True)
class CycleGANOptions(NormOptions, WeightOptions, PatchOptions):
    """Options of CycleGAN: weights of the losses, image pools, and layers of all networks."""

    cycle_weight: float = option(
        10.0, "Weight of the cycle consistency loss (section 5.1).", at_least=0.0, is_schedulable=True
    )
    identity_weight: float = option(
        5.0, "Weight of the identity loss (section 5.2).", at_least=0.0, is_schedulable=True
    )
    domain_b_factor: float = option(
        1.0,
        "Factor of the cycle and identity losses of images of B, relative to those of A.",
        at_least=0.0,
        is_schedulable=True,
    )
    pool_size: int = option(50, "Fakes of each domain that the image pools keep (section 4).", at_least=1)
    blocks: int | None = option(
        None,
        "Residual blocks of a generator; by default 6, and 9 from 256 pixels on (appendix 7.2).",
        at_least=1,
        shapes_network=True,
    )
    strided_padding: str = option(
        "zeros",
        "Borders of the generators' layers that halve the image: zeros, as published, or reflected.",
        choices=("zeros", "reflect"),
        shapes_network=True,
    )
    upsampling: str = option(
        "transposed",
        "Layers that double the image: transposed convolutions, as published, or resize: pixels are "
        "repeated, then convolved, which leaves no checkerboard.",
        choices=("transposed", "resize"),
        shapes_network=True,
    )
    directions: str = option(
        "both",
        "Directions of translation: both, or one alone, as imported weights may have it, which are not "
        "trained on.",
        choices=tuple(TARGETS),
        shapes_network=True,
    )


class Generators(DomainTranslator):
    """Residual translators A → B and B → A, or one of them; sides of images are multiples of 4."""

    to_a: nn.Module
    to_b: nn.Module

    multiple = 4
    passes = 6  # there, back again, and of images that need no translation

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        check_size_multiple(blueprint, self.multiple)
        channels, *size = blueprint.sample_shape
        self.shape = blueprint.sample_shape
        options: CycleGANOptions = blueprint.options or CycleGANOptions()
        form = ResidualForm(
            options, strided_padding=cast(Borders, options.strided_padding), upsampling=options.upsampling
        )
        blocks = options.blocks or residual_block_count(size)
        self._targets = TARGETS[options.directions]
        for to in self._targets:
            translator = residual_translator(channels, channels, blueprint.width, blocks, form)
            self.add_module(f"to_{to.lower()}", translator)
        self.apply(initialize)

    @property
    def targets(self) -> tuple[str, ...]:
        return self._targets

    def translate(self, images: Tensor, to: str) -> Tensor:
        networks = {"A": "to_a", "B": "to_b"}
        made: Tensor = self.get_submodule(networks[to])(images)
        return made

    def generate(self, like: Batch) -> Tensor:
        return self.translate(like.condition[0], "B")

    def columns(self, batch: Batch) -> dict[str, Tensor]:
        a, b = split_domains(batch)
        to_b, to_a = self.to_b(a), self.to_a(b)
        there = {"A": a, "to B": to_b, "back to A": self.to_a(to_b)}
        return there | {"B": b, "to A": to_a, "back to B": self.to_b(to_a)}


def critics(blueprint: Blueprint) -> DomainCritics:
    """Builds the critics of the domains that are translated to."""
    options: CycleGANOptions = blueprint.options or CycleGANOptions()
    return DomainCritics(blueprint, TARGETS[options.directions])


class CycleGame(TwoWayGame[Generators]):
    """The game of CycleGAN: adversarial, cycle (equation 2) and identity losses (section 5.2).

    The generators, G from A to B and F from B to A, minimise the sum (equation 3) of

    * the adversarial losses `L_G(C_B(G(a))) + L_G(C_A(F(b)))`,
    * the cycle consistency `λ (E |F(G(a)) − a| + E |G(F(b)) − b|)`, where λ is `arch.cycle_weight`,
    * the identity loss `μ (E |F(a) − a| + E |G(b) − b|)`, where μ is `arch.identity_weight`;

    the critics `½ L_C(C_B(b), C_B(G(a))) + ½ L_C(C_A(a), C_A(F(b)))`, where each sees fakes from an image
    pool. The ½ that the form `lsgan` has of its own is left out of all of these, as published.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        super().__init__(generator, critic, spec)
        if len(self.generator_network.targets) < 2:
            raise ValueError(
                "cyclegan trains both directions, and arch.directions says one; take --set "
                "arch.directions=both, with which the other begins anew"
            )
        shape = self.generator_network.shape
        self.options: CycleGANOptions = spec.options or CycleGANOptions()
        self.pools = nn.ModuleList(ImagePool(self.options.pool_size, shape) for _ in range(2))

    def make(self, real: Pair) -> tuple[Pair, Callable[[], Scores]]:
        (a, b), generators = real, self.generator_network
        fake_a, fake_b = generators.to_a(b), generators.to_b(a)

        def others() -> Scores:
            share = self.options.domain_b_factor
            cycle = l1_loss(generators.to_a(fake_b), a) + share * l1_loss(generators.to_b(fake_a), b)
            terms = {"cycle": self.options.cycle_weight * cycle}
            if self.options.identity_weight:
                identity = l1_loss(generators.to_a(a), a) + share * l1_loss(generators.to_b(b), b)
                terms["identity"] = self.options.identity_weight * identity
            return terms

        return (fake_a, fake_b), others

    def generator_loss(self, clock: Clock, real: Pair, made: list[Pair]) -> Losses:
        losses = super().generator_loss(clock, real, made)
        return self.objective.weigh(losses, self.options.adversarial_weight)

    def critic_loss(self, clock: Clock, real: Pair, fakes: Pair) -> Losses:
        return self.objective.weigh(super().critic_loss(clock, real, fakes), self.options.critic_factor)

    def replay_fakes(self, fakes: Pair) -> Pair:
        return self.pools[0](fakes[0]), self.pools[1](fakes[1])


architecture = Architecture(
    paper="Zhu et al. 2017, arXiv:1703.10593",
    generator=Generators,
    critic=critics,
    data=("images",),
    task="domains",
    default_loss="lsgan",
    default_data="shapes-styles",
    critic_norm="plain-instance",
    game=CycleGame,
    options_type=CycleGANOptions,
    revision=2,
    earlier_options={1: {"norm": "instance", "strided_padding": "reflect", "upsampling": "resize"}},
    presets=CYCLEGAN_PRESETS,
    departures="""
        * There are 6 residual blocks below 256 pixels, as the paper says (appendix 7.2); the authors' code
          takes 9 unless told otherwise: `arch.blocks=9`.
        * Patch critics of images below 64 pixels have fewer strided layers than three, since a patch would be
          larger than the image.
        * Rates fall with every step; the authors' code lowers them by the epoch.
    """,
    settings=(
        defaults(width=64, batch_size=1, image_size=(256, 256), kimg=266.8, n_critic=1, ema_kimg=0.0),
        defaults(optimizer="adam", lr_generator=2e-4, lr_critic=2e-4, betas=(0.5, 0.999)),
        defaults(lr_schedule="linear", lr_decay_from=0.5),
        defaults(preset="laptop", width=16, batch_size=4, image_size=(32, 32), kimg=16.0),
        defaults(preset="laptop", lr_generator=1e-3, lr_critic=1e-3),
    ),
)
