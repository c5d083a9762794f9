"""Names in StarGAN's PyTorch files (`200000-G.ckpt`, `200000-D.ckpt`)."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from gans.core.published_names import NameTable, Pair
from gans.core.translation import ResidualBlock


def _layer(ours: str, published: str) -> tuple[Pair, ...]:
    """Pairs of a convolution or a norm."""
    return tuple(Pair(f"{ours}.{kind}", f"{published}.{kind}") for kind in ("weight", "bias"))


def _generator_places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int]]:
    """Layers and blocks of the generator, which are numbered alike. Raises ValueError for another form."""
    layers = list(network.get_submodule("layers").children())
    if any(isinstance(layer, nn.Upsample) for layer in layers):
        raise ValueError("published files hold transposed convolutions: it needs arch.form=published")
    for index, part in enumerate(layers):
        yield {"block" if isinstance(part, ResidualBlock) else "layer": index}


def _critic_places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int]]:
    """Convolutions of the critic, each with an activation. Raises ValueError for a critic with norms."""
    parts = list(network.get_submodule("features").children())
    if not all(isinstance(part, nn.Conv2d | nn.LeakyReLU | nn.Dropout) for part in parts):
        raise ValueError("the published critic has no norms: it needs --critic-norm none")
    count = 0
    for index, part in enumerate(parts):
        if isinstance(part, nn.Conv2d):
            yield {"layer": index, "published": 2 * count}
            count += 1


GENERATOR = NameTable(
    (
        *_layer("layers.{layer}", "main.{layer}"),
        *(
            pair
            for index in (0, 1, 3, 4)
            for pair in _layer(f"layers.{{block}}.residual.{index}", f"main.{{block}}.main.{index}")
        ),
    ),
    _generator_places,
    unused_ends=("num_batches_tracked",),
    beside_norms={"running_mean": torch.zeros_like, "running_var": torch.ones_like},
)
CRITIC = NameTable(
    (
        *_layer("features.{layer}", "main.{published}"),
        Pair("patches.0.weight", "conv1.weight"),
        Pair("attributes.0.weight", "conv2.weight"),
    ),
    _critic_places,
)
