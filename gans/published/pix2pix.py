"""Names in pix2pix's PyTorch files (`latest_net_G.pth`): the blocks of its U-Net are nested."""

from collections.abc import Iterator, Mapping

from torch import nn

from gans.core.published_names import HALVES, SAME, Layout, NameTable, Pair
from gans.published.cyclegan import CRITIC, STATISTICS, check_norms, layer

__all__ = ["CRITIC", "GENERATOR"]  # the critic of patches is CycleGAN's, with more channels


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
