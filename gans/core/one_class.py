"""A class-conditional generator with a fixed label, as an unconditional generator."""

import torch
from torch import Tensor

from gans.core.networks import LatentNetwork, StyledNetwork
from gans.core.styles import class_means


class FixedLabelGenerator(LatentNetwork):
    """A class-conditional generator with a fixed label: noise `(N, z_dim)` → samples of one class."""

    label: Tensor

    def __init__(self, network: LatentNetwork, label: int) -> None:
        super().__init__(network.z_dim)
        self.network = network
        self.register_buffer("label", torch.tensor(label))

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return self.network.first_layers

    def forward(self, z: Tensor) -> Tensor:
        return self.network(z, self.label.expand(z.shape[0]))


class FixedLabelStyledGenerator(StyledNetwork):
    """A class-conditional style-based generator with a fixed label."""

    label: Tensor

    def __init__(self, network: StyledNetwork, label: int) -> None:
        super().__init__(network.z_dim)
        self.network, self.w_dim = network, network.w_dim
        self.register_buffer("label", torch.tensor(label))
        self.register_buffer("mean", class_means(network, self.label[None])[0])

    @property
    def styles(self) -> int:
        return self.network.styles

    @property
    def first_layers(self) -> tuple[Tensor, ...]:
        return self.network.first_layers

    def map(self, z: Tensor, *label: Tensor) -> Tensor:
        return self.network.map(z, self.label.expand(z.shape[0]))

    def synthesize(self, w: Tensor) -> Tensor:
        return self.network.synthesize(w)

    def forward(self, z: Tensor) -> Tensor:
        return self.synthesize(self.map(z))


def fix_label(network: LatentNetwork, label: int) -> LatentNetwork:
    """Fixes the label of a class-conditional generator; the result is in evaluation mode."""
    if isinstance(network, StyledNetwork):
        return FixedLabelStyledGenerator(network, label).eval()
    return FixedLabelGenerator(network, label).eval()
