"""Inputs of an exported generator beside its latents: the label, truncation, and maps of noise."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gans.core.networks import LatentNetwork, StyledNetwork
from gans.core.styles import Noise, class_means, repeat_styles

LATENT, LABEL, TRUNCATION, NOISE, SAMPLES = "z", "label", "truncation", "noise_", "samples"


class StyledExport(nn.Module):
    """A generator with styles whose truncation ψ and maps of noise are inputs too.

    Attributes:
        means: of w, towards which truncation draws: of each class `(classes, w_dim)`, or of all `(1, w_dim)`.
    """

    means: Tensor

    def __init__(self, network: StyledNetwork) -> None:
        super().__init__()
        self.network = network
        self.synthesis = _Synthesis(network)
        labels = torch.arange(network.classes)
        self.register_buffer(
            "means", class_means(network, labels) if network.classes else network.mean[None].clone()
        )
        self.fixed = [f"network.{name}.fixed" for name, _ in noise_layers(network)]

    def forward(self, z: Tensor, *others: Tensor) -> Tensor:
        """Makes samples from z `(N, z_dim)`, with classes labels `(N,)`, then ψ `(1,)` and maps of noise."""
        label = others[:1] if self.network.classes else ()
        truncation, *noise = others[len(label) :]
        centres = self.means[label[0]] if label else self.means
        w = self.network.map(z, *label)
        styles = repeat_styles(torch.lerp(centres.expand_as(w), w, truncation), self.network.styles)
        made: Tensor = functional_call(self.synthesis, dict(zip(self.fixed, noise, strict=True)), (styles,))
        return made


class _Synthesis(nn.Module):
    """The synthesis network alone, which `functional_call` can call."""

    def __init__(self, network: StyledNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, styles: Tensor) -> Tensor:
        return self.network.synthesize(styles)


def noise_layers(network: nn.Module) -> Iterator[tuple[str, Noise]]:
    """Noise layers of a network by name, from the coarsest to the finest map."""
    found = [(name, part) for name, part in network.named_modules() if isinstance(part, Noise)]
    yield from sorted(found, key=lambda each: each[1].fixed.numel())


def prepare_export(network: LatentNetwork) -> tuple[nn.Module, dict[str, Tensor]]:
    """Prepares a generator for export: what to export, and its optional inputs with their defaults."""
    if not isinstance(network, StyledNetwork):
        return network, {}
    maps = [part.fixed for _, part in noise_layers(network)]
    return StyledExport(network), {
        TRUNCATION: torch.ones(1),
        **{f"{NOISE}{index}": fixed.clone() for index, fixed in enumerate(maps)},
    }
