"""Networks for points of PacGAN's authors (Lin et al. 2018): batch norm, and a maxout critic."""

from itertools import pairwise

from torch import Tensor, nn

from gans.core.architecture import Architecture, Blueprint
from gans.core.networks import LatentNetwork
from losses.recipe import defaults

HIDDEN_LAYERS = 4
CRITIC_UNITS, CRITIC_LAYERS, PIECES = 200, 3, 5
DEVIATION = 0.02  # standard deviation of initial weights


class PacganGenerator(LatentNetwork):
    """Generator of points, an MLP with batch norm: `(N, z_dim)` → `(N, 2)`."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim)
        layers: list[nn.Module] = []
        units = blueprint.z_dim
        for _ in range(HIDDEN_LAYERS):
            layers += [nn.Linear(units, blueprint.width, bias=False)]
            layers += [nn.BatchNorm1d(blueprint.width, momentum=0.05), nn.ReLU(inplace=True)]
            units = blueprint.width
        self.layers = initialize(nn.Sequential(*layers, nn.Linear(units, 2)))

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        """Weights of the layer that the latent meets first."""
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        return (first.weight,)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Maxout(nn.Module):
    """Maxout layer, `(N, inputs)` → `(N, units)`: the largest piece of each unit (Goodfellow et al. 2013)."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, units * PIECES)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).unflatten(1, (-1, PIECES)).amax(dim=2)


def critic(blueprint: Blueprint) -> nn.Module:
    """Builds the maxout critic: points `(N, 2)` → logits `(N,)`."""
    widths = [2, *[CRITIC_UNITS] * CRITIC_LAYERS]
    hidden = [Maxout(inputs, units) for inputs, units in pairwise(widths)]
    return initialize(nn.Sequential(*hidden, nn.Linear(CRITIC_UNITS, 1), nn.Flatten(start_dim=0)))


def initialize(network: nn.Sequential) -> nn.Sequential:
    """Initializes the linear layers of a network: normal weights, zero biases."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=DEVIATION)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


architecture = Architecture(
    paper="Lin et al. 2018, arXiv:1712.04086",
    generator=PacganGenerator,
    critic=critic,
    data=("points",),
    default_loss="bce",
    default_data="ring8",
    settings=(
        defaults(
            z_dim=2,
            width=400,
            batch_size=100,
            kimg=40_000.0,
            lr_generator=1e-4,
            lr_critic=1e-4,
            betas=(0.8, 0.999),
            ema_kimg=0.0,
        ),
    ),
)
