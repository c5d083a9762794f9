"""StarGAN: one generator changes any attribute of an image, and keeps the rest (Choi et al. 2018)."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss

from gans.core.architecture import Architecture, Blueprint
from gans.core.attributes import AttributeCritic, Groups, column_names, columns_of, with_value
from gans.core.clock import Clock
from gans.core.game import BatchLoader
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.player import Losses, Scores
from gans.core.presets.translation import STARGAN_PRESETS
from gans.core.translation import (
    AttributeTranslator,
    NormOptions,
    ResidualForm,
    check_size_multiple,
    critic_width_option,
    residual_translator,
)
from gans.core.two_player import TwoPlayerGame
from gans.layers.image_convolutions import ImageConv2d
from gans.layers.norms import dropout
from losses.core.batch_parts import process_part
from losses.core.device_copies import copy_to
from losses.core.options import option
from losses.core.ranks import gather_rows
from losses.recipe import defaults

DEEPEST = 6  # halvings of the critic
SLOPE = 0.01  # of the critic's leaky ReLU
MOST_COLUMNS = 8  # of changed images in a picture
SCALED = NormOptions(norm="instance")
FORMS = {
    "published": ResidualForm(SCALED, "zeros", "zeros", "transposed", strided_kernel=4, last_bias=False),
    "small-images": ResidualForm(SCALED),
}


@dataclass(frozen=True)
class StarGANOptions:
    """Options of StarGAN: weights of the losses (section 4.2), and layers of both networks."""

    classification_weight: float = option(
        1.0, "Weight of the attribute classification loss.", at_least=0.0, is_schedulable=True
    )
    reconstruction_weight: float = option(
        10.0, "Weight of the reconstruction loss.", at_least=0.0, is_schedulable=True
    )
    blocks: int = option(6, "Residual blocks of the generator.", at_least=1, shapes_network=True)
    form: str = option(
        "published",
        "Layers of the generator: published, or for small images: the first one without a norm, borders "
        "reflected, pixels repeated where the image doubles.",
        choices=tuple(FORMS),
        shapes_network=True,
    )
    critic_layers: int | None = option(
        None,
        "Layers of the critic that halve the image; by default down to 2 or 3 pixels, 6 at most.",
        at_least=1,
        shapes_network=True,
    )
    critic_width: int | None = critic_width_option()
    redraws_targets: bool = option(
        False,
        "Draw other target attributes for the generator's step than for the critic's before it.",
    )


class Generator(AttributeTranslator):
    """StarGAN generator: images `(N, C, H, W)` and attributes `(N, D)` → images (table 4).

    Each attribute is spread over a plane of its own. A norm follows the first convolution: it removes
    constant planes but for the effect of the zero borders. These are a large part of small images, of which
    little is left: the form "small-images" has no norm there, and reflects the borders of the other layers.
    """

    multiple = 4
    passes = 2  # there, and back again

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        check_size_multiple(blueprint, self.multiple)
        channels = blueprint.sample_shape[0]
        self.groups = blueprint.attributes
        inputs = channels + len(column_names(self.groups))
        options: StarGANOptions = blueprint.options or StarGANOptions()
        self.layers = residual_translator(
            inputs,
            channels,
            blueprint.width,
            options.blocks,
            FORMS[options.form],
            has_condition_planes=options.form == "small-images",
        )

    def forward(self, images: Tensor, rows: Tensor) -> Tensor:
        planes = rows[:, :, None, None].expand(-1, -1, *images.shape[2:])
        made: Tensor = self.layers(torch.cat([images, planes], dim=1))
        return made

    def translate(self, images: Tensor, rows: Tensor) -> Tensor:
        return self(images, rows)

    def generate(self, like: Batch) -> Tensor:
        """Translates the images of a batch to shuffled attributes of the batch."""
        return self(like.samples, shuffle_rows(*like.condition))

    def columns(self, batch: Batch) -> dict[str, Tensor]:
        images, (rows,) = batch
        changes = [(group.name, value) for group in self.groups for value in group.values]
        return {"input": images, "the same": self(images, rows)} | {
            f"{name}={value}": self(images, with_value(self.groups, rows, name, value))
            for name, value in changes[:MOST_COLUMNS]
        }


class Critic(AttributeCritic):
    """StarGAN critic: `(N, C, H, W)` → logits `(N, h, w)` of patches, or of attributes (table 5)."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        channels, height, width = blueprint.sample_shape
        halvings = halvings_of(blueprint)
        narrowest = (blueprint.options or StarGANOptions()).critic_width or blueprint.width
        widths = [channels, *(narrowest * 2**i for i in range(halvings))]
        layers: list[nn.Module] = []
        for index, (narrow, wide) in enumerate(pairwise(widths)):
            normalized = blueprint.critic_norm.of_maps(wide) if index else []
            layers += [ImageConv2d(narrow, wide, 4, stride=2, padding=1, bias=not normalized), *normalized]
            layers += [nn.LeakyReLU(SLOPE), *dropout(blueprint.critic_dropout)]
        self.features = nn.Sequential(*layers)
        columns = len(column_names(blueprint.attributes))
        left = (height >> halvings, width >> halvings)
        self.patches = nn.Sequential(ImageConv2d(widths[-1], 1, 3, padding=1, bias=False), nn.Flatten(1, 2))
        self.attributes = nn.Sequential(nn.Conv2d(widths[-1], columns, left, bias=False), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        return self.patches(self.features(x))

    def classify(self, x: Tensor) -> Tensor:
        return self.attributes(self.features(x))


def halvings_of(blueprint: Blueprint) -> int:
    """Number of the critic's halvings: down to two pixels or three, six at most, unless options say others.

    Raises ValueError for more than leave a pixel.
    """
    side = min(blueprint.sample_shape[1:])
    most = side.bit_length() - 1
    asked = (blueprint.options or StarGANOptions()).critic_layers
    if (asked or 0) > most:
        raise ValueError(f"arch.critic_layers={asked} halves {side} pixels to none; take {most} or fewer")
    return asked or min(DEEPEST, most - 1)


class LogitSum(nn.Module):
    """Sums the logits of a critic of patches: `(N, h, w)` → `(N,)`."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.critic(x).flatten(1).sum(dim=1)
        return total


class StarGame(TwoPlayerGame[Generator, Critic]):
    """The game of StarGAN: adversarial, classification and reconstruction losses (equations 2 to 4).

    The critic minimises `L_C(C(x), C(G(x, c'))) + λ E H(c, D(x))` and the penalties of the loss, the
    generator `L_G(C(G(x, c'))) + λ E H(c', D(G(x, c'))) + μ E |x − G(G(x, c'), c)|`. Here c are the
    attributes of x and c' those asked for, D is what the critic says of attributes and H the cross-entropy, λ
    is `arch.classification_weight` and μ `arch.reconstruction_weight`.

    There are `n_critic` updates of the critic, then one of the generator, on the last batch and its targets.
    Penalties are of the gradient of the sum of a sample's patch logits, as in the authors' code.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        super().__init__(generator, critic, spec)
        self.options: StarGANOptions = spec.options or StarGANOptions()

    def round(self, loader: BatchLoader) -> Scores:
        scores: Scores = {}
        for _ in range(self.n_critic):
            clock, real = loader.clock, loader.next_batch()
            asked = shuffle_rows(*real.condition)
            scores |= self.critic.minimise(self.critic_loss, clock, real, asked)
        if self.options.redraws_targets:
            asked = shuffle_rows(*real.condition)
        return scores | self.generator.minimise(self.generator_loss, clock, real, asked)

    def critic_loss(self, clock: Clock, real: Batch, asked: Tensor) -> Losses:
        """The critic's loss: the adversarial loss, and classification of the real images' attributes.

        Args:
            asked: target attributes of the generated images, float32 `(N, D)`.
        """
        (images, (rows,)), critic = real, self.critic_network
        with torch.no_grad():
            fake = self.generator_network(images, asked)
        features = critic.features(self.objective.perturb(images, clock).samples)
        fake_logits = self.objective.critic_logits(critic, fake, (), clock)
        outcome = self.objective.critic_loss_from_logits(
            LogitSum(critic), clock, Batch(images), fake, critic.patches(features), fake_logits
        )
        return Losses(outcome.terms | self.classified(critic.attributes(features), rows), outcome.logged)

    def generator_loss(self, clock: Clock, real: Batch, asked: Tensor) -> Losses:
        """The generator's loss: adversarial, classification of target attributes, and reconstruction."""
        (images, (rows,)), generator, critic = real, self.generator_network, self.critic_network
        fake = generator(images, asked)
        features = critic.features(self.objective.perturb(fake, clock).samples)
        real_logits = (
            self.objective.critic_logits(critic, images, (), clock)
            if self.objective.form.relativistic
            else None
        )
        adversarial = self.objective.form.generator(critic.patches(features), real_logits)
        back = self.options.reconstruction_weight * l1_loss(generator(fake, rows), images)
        classified = self.classified(critic.attributes(features), asked)
        return Losses({"adversarial": adversarial, **classified, "reconstruction": back})

    def classified(self, logits: Tensor, rows: Tensor) -> Scores:
        """The weighted attribute classification loss, by name."""
        loss = attribute_loss(self.generator_network.groups, logits, rows)
        return {"classification": self.options.classification_weight * loss}


def shuffle_rows(rows: Tensor) -> Tensor:
    """Shuffles the attributes of a batch, so that targets are combinations that occur."""
    whole = gather_rows(rows)
    return process_part().cut(whole[copy_to(torch.randperm(len(whole)), rows.device)])


def attribute_loss(groups: Groups, logits: Tensor, rows: Tensor) -> Tensor:
    """Sums the cross-entropies of all groups between logits `(N, D)` and attributes `(N, D)`."""
    parts = []
    for group in groups:
        columns = columns_of(groups, group.name)
        said, truth = logits[:, columns], rows[:, columns]
        entropy = binary_cross_entropy_with_logits if group.is_binary else cross_entropy
        parts.append(entropy(said, truth))
    return torch.stack(parts).sum()


architecture = Architecture(
    paper="Choi et al. 2018, arXiv:1711.09020",
    generator=Generator,
    critic=Critic,
    data=("images",),
    task="attributes",
    default_loss="wgan-gp",
    default_data="shapes-attributes",
    game=StarGame,
    options_type=StarGANOptions,
    revision=2,
    earlier_options={1: {"form": "small-images"}},
    has_earlier_critics=True,
    presets=STARGAN_PRESETS,
    departures="""
        * Under the laptop preset, `arch.form=small-images`: at 32 pixels the norm behind the first layer
          leaves nothing of the attributes but at the border, and no shape survives.
        * One optimizer step minimises the critic's whole loss, as the paper's equation and the later version
          of the authors' code have it; the first version took a second one for the penalty alone.
        * Penalties are of the gradient of the sum of a sample's patch logits, as in the authors' code; the
          paper's equation leaves that open.
        * Rates fall with every step; the authors' code lowers them every 1,000 updates.
    """,
    settings=(
        defaults(width=64, batch_size=16, image_size=(128, 128), kimg=3200.0, n_critic=5, ema_kimg=0.0),
        defaults(optimizer="adam", lr_generator=1e-4, lr_critic=1e-4, betas=(0.5, 0.999)),
        defaults(lr_schedule="linear", lr_decay_from=0.5),
        defaults(preset="laptop", width=16, batch_size=8, image_size=(32, 32), kimg=40.0, n_critic=1),
        defaults(preset="laptop", lr_generator=1e-3, lr_critic=1e-3),
        # Found by looking: small pictures that are mostly background need more of both than the paper's 1
        # and 10, or their shapes are lost, as they are with the published layers (see the generator).
        defaults(
            preset="laptop",
            arch={
                "classification_weight": 2.0,
                "reconstruction_weight": 50.0,
                "form": "small-images",
            },
        ),
        # The penalty holds the slope of the sum of four patches, and so that of each to a quarter: the other
        # losses are a quarter as heavy, or they drown the adversarial one.
        defaults(
            preset="laptop",
            losses=("wgan-gp", "wgan-lp"),
            penalty_weight=2.5,
            arch={"classification_weight": 0.5, "reconstruction_weight": 12.5},
        ),
    ),
)
