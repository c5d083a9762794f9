"""Deep convolutional GAN: strided convolutions both ways, no pooling (Radford et al. 2015)."""

from itertools import pairwise

from torch import Tensor, nn

from gans.core.architecture import Architecture, Blueprint
from gans.core.networks import LatentNetwork
from gans.layers.deterministic import LabelEmbedding
from gans.layers.image_convolutions import ImageConv2d, ImageConvTranspose2d
from gans.layers.labels import WithLabel, critic_from_layers
from gans.layers.norms import dropout
from gans.layers.sizes import count_halvings
from losses.recipe import defaults

WIDEST = 8  # channels stop doubling at this multiple of the width, as in the paper (1,024 = 8 · 128)


class Generator(LatentNetwork):
    """DCGAN generator: noise `(N, z_dim)` → images `(N, C, H, W)` in [−1, 1]."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim, blueprint.classes)
        channels, height, width = blueprint.sample_shape
        steps = count_halvings(height, width)
        widths = [blueprint.width * min(2**i, WIDEST) for i in reversed(range(steps))]
        self.base = (widths[0], height >> steps, width >> steps)
        self.with_label = WithLabel(self.z_dim, self.classes)
        # "Project and reshape" of the paper's figure 1. A norm follows every layer but the last, so only
        # the last has a bias.
        self.project = nn.Linear(
            self.with_label.total, self.base[0] * self.base[1] * self.base[2], bias=False
        )
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for wide, narrow in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(wide, narrow, kernel_size=4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(narrow),
                nn.ReLU(inplace=True),
            ]
        layers += [ImageConvTranspose2d(widths[-1], channels, kernel_size=4, stride=2, padding=1), nn.Tanh()]
        self.upsample = nn.Sequential(*layers)
        self.apply(initialize)

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.project.weight[:, : self.z_dim],)

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.upsample(self.project(self.with_label(z, *label)).view(-1, *self.base))


def critic(blueprint: Blueprint) -> nn.Module:
    """Builds the DCGAN critic: images `(N, C, H, W)` → logits `(N,)`; the first layer has no norm.

    A plain chain of layers, which makes a gradient penalty cheaper (losses/core/input_gradient.py).
    """
    channels, height, width = blueprint.sample_shape
    steps = count_halvings(height, width)
    widths = [blueprint.width * min(2**i, WIDEST) for i in range(steps)]
    has_shift = bool(blueprint.critic_norm.of_maps(1))  # a norm's own shift makes a bias useless
    layers: list[nn.Module] = [ImageConv2d(channels, widths[0], kernel_size=4, stride=2, padding=1)]
    for narrow, wide in pairwise(widths):
        layers += [nn.LeakyReLU(0.2, inplace=True), *dropout(blueprint.critic_dropout)]
        layers += [nn.Conv2d(narrow, wide, kernel_size=4, stride=2, padding=1, bias=not has_shift)]
        layers += blueprint.critic_norm.of_maps(wide)
    layers += [nn.LeakyReLU(0.2, inplace=True), *dropout(blueprint.critic_dropout), nn.Flatten()]
    features = widths[-1] * (height >> steps) * (width >> steps)
    vectors = LabelEmbedding(blueprint.classes, features) if blueprint.classes else None
    if vectors is not None:
        nn.init.normal_(vectors.weight, 0.0, 0.02)
    return critic_from_layers(layers, nn.Linear(features, 1), vectors).apply(initialize)


def initialize(module: nn.Module) -> None:
    """Initializes a layer: weights ~ N(0, 0.02), norms' scales ~ N(1, 0.02), biases 0.

    See section 4 and the authors' code.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.InstanceNorm2d) and module.weight is not None:
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


architecture = Architecture(
    paper="Radford et al. 2015, arXiv:1511.06434",
    generator=Generator,
    critic=critic,
    takes_labels=True,
    counted_from_end=("critic",),
    data=("images",),
    default_loss="bce",
    default_data="shapes",
    critic_norm="batch",
    departures="""
        * Latents are Gaussian; the paper's are uniform on [−1, 1].
        * Kernels are 4×4, which stride 2 divides; the paper's figure and its authors' code have 5×5.
        * Nothing decays the weights; the authors' code decays them by 1e-5: `--weight-decay`.
        * Layers follow the image size; the paper's networks have 64 pixels.
    """,
    settings=(
        defaults(z_dim=100, width=128, batch_size=128, image_size=(64, 64), kimg=5000.0),
        defaults(preset="laptop", z_dim=64, width=24, batch_size=16, image_size=(32, 32), kimg=200.0),
    ),
)
