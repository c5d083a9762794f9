"""Names in pix2pix's PyTorch files (`latest_net_G.pth`): the blocks of its U-Net are nested."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import nn

from gans.core.published_names import HALVES, INPUT_HALVES, SAME, Layout, NameTable, Pair
from gans.published.cyclegan import CRITIC as CRITIC_OF_IMAGES
from gans.published.cyclegan import STATISTICS, check_norms, layer


def _places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int | str]]:
    """Levels of a U-Net from the image inwards, with the path of each in the nested blocks."""
    check_norms(network)
    depth = len(list(network.get_submodule("down").children()))
    path = "model.model.1.model"
    for level in range(1, depth - 1):
        yield {"level": level, "up": depth - 1 - level, "path": path}
        path = f"{path}.3.model"
    yield {"innermost": depth - 1, "path": path}


def _transposed(ours: str, published: str, layout: Layout = HALVES) -> tuple[Pair, ...]:
    """Pairs of a transposed convolution.

    What skips the inner levels comes first in the published channels, and last in ours.
    """
    return (
        Pair(f"{ours}.weight", f"{published}.weight", layout),
        Pair(f"{ours}.bias", f"{published}.bias"),
    )


GENERATOR = NameTable(
    (
        *layer("down.0.0", "model.model.0"),
        *_transposed("last.1", "model.model.3"),
        *layer("down.{level}.1", "{path}.1"),
        *layer("down.{level}.2", "{path}.2"),
        *_transposed("up.{up}.1", "{path}.5"),
        *layer("up.{up}.2", "{path}.6"),
        *layer("down.{innermost}.1", "{path}.1"),
        *_transposed("up.0.1", "{path}.3", SAME),
        *layer("up.0.2", "{path}.4"),
    ),
    _places,
    unused_ends=STATISTICS,
)


def _critic_places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int | str]]:
    """Layers of a patch critic, of which the first sees input and output."""
    for place in CRITIC_OF_IMAGES.places(network, sides):
        yield place if place["layer"] else {"first": 0}


# The input comes first in the published channels, and last in ours.
CRITIC = replace(
    CRITIC_OF_IMAGES,
    pairs=(
        Pair("chain.{first}.weight", "model.{first}.weight", INPUT_HALVES),
        Pair("chain.{first}.bias", "model.{first}.bias"),
        *CRITIC_OF_IMAGES.pairs,
    ),
    places=_critic_places,
)
