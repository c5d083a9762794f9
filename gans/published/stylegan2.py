"""Names in NVlabs' StyleGAN2 (stylegan2-ada-pytorch, and StyleGAN3's files of StyleGAN2)."""

from collections.abc import Iterator, Mapping

from torch import nn

from gans.core.published_names import IMAGE, MAPS, SCALAR, NameTable, Pair, filter_constant

MOST_LAYERS = 32  # of a mapping network
CONSTANTS = {"resample_filter": filter_constant}


def _filters(*parts: str) -> tuple[tuple[str, str], ...]:
    """Names of filters, each with a tensor of its layer or block beside it."""
    return tuple((f"{part.partition(' ')[0]}.resample_filter", part.replace(" ", ".")) for part in parts)


FILTERS_OF_GENERATOR = _filters(
    "synthesis.b{smallest} conv1.weight",
    "synthesis.b{smallest}.conv1 weight",
    "synthesis.b{side} conv0.weight",
    "synthesis.b{side}.conv0 weight",
    "synthesis.b{side}.conv1 weight",
)
FILTERS_OF_CRITIC = _filters(
    "b{full}.fromrgb weight",
    "b{side} conv0.weight",
    "b{side}.conv0 weight",
    "b{side}.conv1 weight",
    "b{side}.skip weight",
    "b{smallest}.conv weight",
)


def _places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, int]]:
    """Values of placeholders: layers of a mapping network, then blocks of each size.

    `index` counts sizes from the smallest, `step` those after it, `outer` from the full one.
    """
    yield from ({"layer": layer, "module": 2 * layer} for layer in range(MOST_LAYERS))
    for index, side in enumerate(sides):
        yield {"index": index, "step": index - 1, "outer": len(sides) - 1 - index, "side": side}
    yield {"smallest": sides[0], "full": sides[-1]}


def _mapping(start: str = "mapping") -> tuple[Pair, ...]:
    """Pairs of a mapping network."""
    parts = [("layers.{module}", "fc{layer}"), ("embed", "embed")]
    return tuple(
        Pair(f"{start}.{ours}.{kind}", f"mapping.{published}.{kind}")
        for ours, published in parts
        for kind in ("weight", "bias")
    )


def _styled(ours: str, published: str) -> tuple[Pair, ...]:
    """Pairs of a styled layer."""
    return (
        Pair(f"{ours}.convolution.weight", f"synthesis.{published}.weight"),
        Pair(f"{ours}.convolution.style.weight", f"synthesis.{published}.affine.weight"),
        Pair(f"{ours}.convolution.style.bias", f"synthesis.{published}.affine.bias"),
        Pair(f"{ours}.bias", f"synthesis.{published}.bias", MAPS),
        Pair(f"{ours}.noise.scale", f"synthesis.{published}.noise_strength", SCALAR),
        Pair(f"{ours}.noise.fixed", f"synthesis.{published}.noise_const", IMAGE),
    )


def _layer(ours: str, published: str) -> tuple[Pair, ...]:
    """Pairs of a plain layer."""
    return tuple(Pair(f"{ours}.{kind}", f"{published}.{kind}") for kind in ("weight", "bias"))


GENERATOR = NameTable(
    (
        *_mapping(),
        Pair("mean", "mapping.w_avg"),
        Pair("constant", "synthesis.b{smallest}.const"),
        *_styled("first", "b{smallest}.conv1"),
        *_styled("enlarging.{step}", "b{side}.conv0"),
        *_styled("keeping.{step}", "b{side}.conv1"),
        *_styled("to_image.{index}", "b{side}.torgb"),
    ),
    _places,
    CONSTANTS,
    constant_names=FILTERS_OF_GENERATOR,
)

CRITIC = NameTable(
    (
        *_mapping(),
        *_layer("from_image.0", "b{full}.fromrgb"),
        *_layer("blocks.{outer}.residual.0", "b{side}.conv0"),
        *_layer("blocks.{outer}.residual.2.convolution", "b{side}.conv1"),
        *_layer("blocks.{outer}.0", "b{side}.conv0"),
        *_layer("blocks.{outer}.2.convolution", "b{side}.conv1"),
        *_layer("blocks.{outer}.skip.1", "b{side}.skip"),
        *_layer("last.1", "b{smallest}.conv"),
        *_layer("last.4", "b{smallest}.fc"),
        *_layer("logit", "b{smallest}.out"),
    ),
    _places,
    CONSTANTS,
    constant_names=FILTERS_OF_CRITIC,
)
