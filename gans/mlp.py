"""The vanilla GAN: fully connected layers, for small images and for points (Goodfellow et al. 2014)."""

from dataclasses import dataclass

from torch import Tensor, nn

from gans.core.architecture import Architecture, Blueprint
from gans.core.networks import LatentNetwork
from gans.layers.labels import LabelledChain, WithLabel
from gans.layers.norms import dropout
from losses.core.options import option
from losses.recipe import defaults


@dataclass(frozen=True)
class MLPOptions:
    """Options of the fully connected networks."""

    hidden_layers: int = option(3, "Hidden layers of each network.", at_least=1, shapes_network=True)


class Generator(LatentNetwork):
    """Fully connected generator: noise → images `(N, C, H, W)` in [−1, 1], or unbounded points `(N, 2)`."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        self.sample_shape = blueprint.sample_shape
        self.with_label = WithLabel(self.z_dim, self.classes)
        layers: list[nn.Module] = []
        units = self.with_label.total
        for _ in range((blueprint.options or MLPOptions()).hidden_layers):
            # Batch norm helps on images, and blurs the sharp modes of points.
            layers += [nn.Linear(units, blueprint.width, bias=not blueprint.is_image)]
            layers += [nn.BatchNorm1d(blueprint.width)] if blueprint.is_image else []
            layers += [nn.ReLU(inplace=True)]
            units = blueprint.width
        layers += [nn.Linear(units, blueprint.sample_size)]
        layers += [nn.Tanh()] if blueprint.is_image else []
        self.layers = nn.Sequential(*layers)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        return (first.weight[:, : self.z_dim],)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.layers(self.with_label(z, *label)).view(-1, *self.sample_shape)


class LabelledCritic(LabelledChain):
    """Class-conditional critic: samples with labels `(N,)` appended as embeddings → logits `(N,)`."""

    def __init__(self, with_label: WithLabel, layers: nn.Module) -> None:
        super().__init__()
        self.with_label, self.layers = with_label, layers

    @property
    def chain(self) -> list[nn.Module]:
        return [*self.layers.children()]

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.layers(self.with_label(x.flatten(1), label))


def critic(blueprint: Blueprint) -> nn.Module:
    """Builds the fully connected critic: samples → logits `(N,)`; the first layer has no norm.

    Without classes it is a plain chain of layers, as dcgan's.
    """
    width = blueprint.width
    with_label = WithLabel(blueprint.sample_size, blueprint.classes)
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(with_label.total, width)]
    for _ in range((blueprint.options or MLPOptions()).hidden_layers - 1):
        layers += [nn.LeakyReLU(0.2, inplace=True), *dropout(blueprint.critic_dropout)]
        layers += [nn.Linear(width, width), *blueprint.critic_norm.of_vectors(width)]
    layers += [nn.LeakyReLU(0.2, inplace=True), *dropout(blueprint.critic_dropout)]
    layers += [nn.Linear(width, 1), nn.Flatten(start_dim=0)]
    chain = nn.Sequential(*layers)
    return LabelledCritic(with_label, chain) if blueprint.classes else chain


architecture = Architecture(
    paper="Goodfellow et al. 2014, arXiv:1406.2661",
    generator=Generator,
    critic=critic,
    takes_labels=True,
    options_type=MLPOptions,
    data=("images", "points"),
    default_loss="bce",
    default_data="ring8",
    departures="""
        * The critic has leaky ReLUs; the paper's has maxout units and dropout (`--critic-dropout`).
        * The generator has ReLUs with batch norm, and tanh for images; the paper's mixes ReLUs and sigmoids.
        * Points in the plane are no experiment of the paper: no batch norm, and no bound.
    """,
    settings=(
        defaults(z_dim=100, width=512, batch_size=64, image_size=(32, 32), kimg=5000.0),
        defaults(data="points", z_dim=2, width=128, batch_size=256, kimg=5000.0),
        defaults(
            data="points",
            losses=("wgan-gp", "wgan-lp", "dragan"),
            penalty_weight=0.1,
            lr_generator=1e-3,
            lr_critic=1e-3,
            betas=(0.0, 0.9),
        ),
        defaults(preset="laptop", data="images", width=256, kimg=300.0),
    ),
)
