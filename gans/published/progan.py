"""Names in NVIDIA's ProGAN (TensorFlow variables)."""

from collections.abc import Iterator, Mapping

from torch import nn

from gans.core.published_names import CONVOLUTION, DENSE, SAME, Layout, NameTable, Pair

# Of the fused enlarging convolution, a transposed one [h, w, out, in]: as a plain one it is turned by 180°.
TURNED = Layout(lambda x: x.permute(2, 3, 0, 1).flip(2, 3), lambda x: x.flip(2, 3).permute(2, 3, 0, 1))


def growing_places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int]]:
    """Values of placeholders: `index` counts sizes from the smallest, `lod` from the full one."""
    for index, side in enumerate(sides):
        yield {"index": index, "step": index - 1, "lod": len(sides) - 1 - index, "side": side}
    yield {"smallest": sides[0], "last": len(sides) - 1}


def layer(ours: str, published: str, layout: Layout = CONVOLUTION) -> tuple[Pair, ...]:
    """Pairs of a layer's weight and bias."""
    return (
        Pair(f"{ours}.weight", f"{published}/weight", layout),
        Pair(f"{ours}.bias", f"{published}/bias", SAME),
    )


def critic_pairs(blurs: bool) -> tuple[Pair, ...]:
    """Pairs of the critic, which ProGAN and StyleGAN share but for the blur."""
    return (
        *layer("from_image.{index}.0" if not blurs else "from_image.{step}.0", "FromRGB_lod{lod}"),
        *layer("blocks.{step}.0", "{side}x{side}/Conv0"),
        *layer(f"blocks.{{step}}.{2 + blurs}", "{side}x{side}/Conv1_down"),
        *layer("last.1", "{smallest}x{smallest}/Conv"),
        *layer("last.4", "{smallest}x{smallest}/Dense0", DENSE),
        *layer("last.6", "{smallest}x{smallest}/Dense1", DENSE),
    )


GENERATOR = NameTable(
    (
        *layer("project", "{smallest}x{smallest}/Dense", DENSE),
        *layer("blocks.0.2", "{smallest}x{smallest}/Conv"),
        *layer("blocks.{index}.0", "{side}x{side}/Conv0_up", TURNED),
        *layer("blocks.{index}.3", "{side}x{side}/Conv1"),
        *layer("to_image.{index}", "ToRGB_lod{lod}"),
    ),
    growing_places,
)
CRITIC = NameTable(critic_pairs(blurs=False), growing_places)
