"""DCGAN without transposed convolutions: resize, then convolve (Odena et al. 2016).

A new architecture is one file, with an option of its own; this one brings a generator and borrows DCGAN's
critic:

    gans run --plugin examples/resize_conv.py --arch resize-conv --loss wgan-gp
    gans run --plugin examples/resize_conv.py --arch resize-conv --set arch.kernel_size=5
"""

from dataclasses import dataclass

from torch import Tensor, nn

from gans.core.architecture import Architecture, Blueprint
from gans.core.networks import LatentNetwork
from gans.dcgan import critic
from gans.layers.sizes import count_halvings
from losses.core.options import option
from losses.recipe import defaults


@dataclass(frozen=True)
class ResizeConvOptions:
    """Options of the generator."""

    kernel_size: int = option(
        3, "Pixels a side of the kernels behind every enlargement; odd.", at_least=1, shapes_network=True
    )


class Generator(LatentNetwork):
    """`(N, z_dim)` → `(N, C, H, W)` in [−1, 1]: every pixel is covered by the same number of filter taps,
    so there is no checkerboard."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.z_dim)
        channels, height, width = blueprint.sample_shape
        kernel_size = (blueprint.options or ResizeConvOptions()).kernel_size
        if kernel_size % 2 == 0:
            raise ValueError(f"arch.kernel_size {kernel_size}: take an odd number, which keeps the size")
        steps = count_halvings(height, width)
        self.base = (4 * blueprint.width, height >> steps, width >> steps)
        self.project = nn.Linear(self.z_dim, self.base[0] * self.base[1] * self.base[2])
        layers: list[nn.Module] = []
        features = self.base[0]
        for _ in range(steps):
            narrower = max(features // 2, blueprint.width)
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(features, narrower, kernel_size, padding=kernel_size // 2, bias=False),
                nn.BatchNorm2d(narrower),
                nn.ReLU(inplace=True),
            ]
            features = narrower
        self.layers = nn.Sequential(
            *layers, nn.Conv2d(features, channels, kernel_size=3, padding=1), nn.Tanh()
        )

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return (self.project.weight,)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(self.project(z).view(-1, *self.base))


architecture = Architecture(
    paper="Odena et al. 2016, doi:10.23915/distill.00003",
    generator=Generator,
    critic=critic,
    data=("images",),
    default_loss="wgan-gp",
    default_data="shapes",
    critic_norm="batch",
    options_type=ResizeConvOptions,
    settings=(
        defaults(z_dim=100, width=64, batch_size=64, image_size=(64, 64), kimg=5000.0),
        defaults(preset="laptop", z_dim=64, width=24, batch_size=16, image_size=(32, 32), kimg=200.0),
    ),
)
