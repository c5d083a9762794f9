"""Names in CycleGAN's PyTorch files: one direction, or one critic, is one file (`latest_net_G_A.pth`)."""

from collections.abc import Iterator, Mapping

from torch import nn

from gans.core.published_names import NameTable, Pair
from gans.core.translation import ResidualBlock

# Our part of both networks for each published one. The authors' D_A judges what G_A makes, images of B.
GENERATORS = {"G_A": "to_b", "G_B": "to_a"}
CRITICS = {"D_A": "b", "D_B": "a"}
LEARNED = ("weight", "bias")
# Files of versions of PyTorch before 0.4 hold them beside instance norms, which do not use them.
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def layer(ours: str, published: str) -> tuple[Pair, ...]:
    """Pairs of a convolution, or of a norm with what it has."""
    return (
        *(Pair(f"{ours}.{kind}", f"{published}.{kind}") for kind in (*LEARNED, *STATISTICS[:2])),
        Pair(f"{ours}.num_batches_tracked", f"{published}.num_batches_tracked", is_optional=True),
    )


def check_norms(network: nn.Module) -> None:
    """Checks that all norms are of a published kind. Raises ValueError for another."""
    for part in network.modules():
        is_scaled = isinstance(part, nn.InstanceNorm2d) and part.affine
        if is_scaled or isinstance(part, nn.GroupNorm):
            raise ValueError("published networks have plain instance norm, or batch norm; this has another")


def _translator_places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int]]:
    """Layers of a residual translator; reflected borders are layers of their own in the published one.

    Raises ValueError for a network whose layers are others.
    """
    check_norms(network)
    layers = list(network.children())
    if any(isinstance(layer, nn.Upsample) for layer in layers):
        raise ValueError("published files hold transposed convolutions: it needs arch.upsampling=transposed")
    strided = [layer for layer in layers if isinstance(layer, nn.Conv2d) and layer.stride != (1, 1)]
    if any(layer.padding_mode != "zeros" for layer in strided):
        raise ValueError("published networks have zero borders: it needs arch.strided_padding=zeros")
    for index, part in enumerate(layers):
        if isinstance(part, ResidualBlock):
            yield {"block": index, "published_block": index + 1}
        else:
            yield {"layer": index, "published": index + (1 if index < len(layers) - 2 else 2)}


def _critic_places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int]]:
    """Layers of a patch critic: its convolutions, and the norms of all but the first and the last."""
    check_norms(network)
    count = 0
    for index, part in enumerate(network.get_submodule("chain").children()):
        if isinstance(part, nn.Conv2d):
            yield {"layer": index, "published": max(0, 3 * count - 1)}
            count += 1
        elif next(iter(part.state_dict()), None) is not None:
            yield {"layer": index, "published": 3 * (count - 1)}


GENERATOR = NameTable(
    (
        *layer("{layer}", "model.{published}"),
        *layer("{block}.residual.0", "model.{published_block}.conv_block.1"),
        *layer("{block}.residual.1", "model.{published_block}.conv_block.2"),
        *layer("{block}.residual.3", "model.{published_block}.conv_block.5"),
        *layer("{block}.residual.4", "model.{published_block}.conv_block.6"),
    ),
    _translator_places,
    unused_ends=STATISTICS,
)
CRITIC = NameTable(
    layer("chain.{layer}", "model.{published}"),
    _critic_places,
    unused_ends=STATISTICS,
)
