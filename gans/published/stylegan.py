"""Names in NVIDIA's StyleGAN (TensorFlow variables)."""

from collections.abc import Iterator, Mapping

from torch import nn

from gans.core.published_names import CONVOLUTION, DENSE, SAME, Layout, NameTable, Pair
from gans.published.progan import critic_pairs, growing_places, layer

MOST_LAYERS = 32  # of a mapping network
CONSTANT = Layout(lambda x: x[0], lambda x: x[None])
MAPS = Layout(lambda x: x[:, None, None], lambda x: x[:, 0, 0])


def _places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int]]:
    """Values of placeholders: layers of the mapping network, then sizes with their maps of noise."""
    yield from ({"dense": dense, "module": 2 * dense + 1} for dense in range(MOST_LAYERS))
    for place in growing_places(network, sides):
        index = place.get("index", 0)
        yield {**place, "noise": 2 * index, "next_noise": 2 * index + 1}


def _epilogue(ours: str, published: str, noise: str) -> tuple[Pair, ...]:
    """Pairs of noise, bias and style behind a convolution."""
    published = f"G_synthesis/{published}"
    return (
        Pair(f"{ours}.bias", f"{published}/bias", MAPS),
        Pair(f"{ours}.noise.scale", f"{published}/Noise/weight", MAPS),
        Pair(f"{ours}.noise.fixed", f"G_synthesis/{noise}", SAME),
        *layer(f"{ours}.style", f"{published}/StyleMod", DENSE),
    )


def _styled(ours: str, published: str, noise: str) -> tuple[Pair, ...]:
    """Pairs of a convolution with its epilogue."""
    weight = Pair(f"{ours}.convolution.weight", f"G_synthesis/{published}/weight", CONVOLUTION)
    return (weight, *_epilogue(f"{ours}.epilogue", published, noise))


GENERATOR = NameTable(
    (
        *layer("mapping.layers.{module}", "G_mapping/Dense{dense}", DENSE),
        Pair("mean", "dlatent_avg"),
        Pair("constant", "G_synthesis/{smallest}x{smallest}/Const/const", CONSTANT),
        *_epilogue("first", "{smallest}x{smallest}/Const", "noise0"),
        *_styled("second", "{smallest}x{smallest}/Conv", "noise1"),
        *_styled("enlarging.{step}", "{side}x{side}/Conv0_up", "noise{noise}"),
        *_styled("keeping.{step}", "{side}x{side}/Conv1", "noise{next_noise}"),
        *layer("to_image.{step}", "G_synthesis/ToRGB_lod{lod}"),
    ),
    _places,
    unused=("G_synthesis/ToRGB_lod{last}/",),  # of 4×4 images, at which growth does not begin
)
CRITIC = NameTable(critic_pairs(blurs=True), growing_places, unused=("FromRGB_lod{last}/",))
