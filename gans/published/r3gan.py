"""Names in the authors' R3GAN (PyTorch)."""

from collections.abc import Iterator, Mapping

from torch import nn

from gans.core.published_names import DENSE, Layout, NameTable, Pair, filter_constant
from gans.layers.resample import Downsample, Upsample
from gans.r3gan import BottleneckBlock

POINTWISE = Layout(lambda x: x[:, :, 0, 0], lambda x: x[:, :, None, None])
PATTERNS = Layout(lambda x: x[None], lambda x: x[0])
CONSTANTS = {"Resampler.Kernel": filter_constant}


def _chain(network: nn.Module) -> tuple[str, list[nn.Module]]:
    """The chain of layers of a network, and what the names of its tensors begin with."""
    for start in ("layers", "features"):
        if hasattr(network, start):
            return f"{start}.", list(getattr(network, start))
    return "", list(network.children())


def _places(network: nn.Module, sides: list[int]) -> Iterator[Mapping[str, str | int]]:
    """Values of placeholders: each layer of ours with its stage and its number there.

    A stage of the generator begins with the change to its size, one of the critic ends with the change to
    the next.
    """
    start, chain = _chain(network)
    is_critic = start != "layers."
    stage, number = 0, 0 if is_critic else 1
    for index, layer in enumerate(chain):
        if isinstance(layer, BottleneckBlock):
            yield {"block": f"{start}{index}", "stage": stage, "number": number}
            number += 1
        elif isinstance(layer, Upsample | Downsample):
            # The width changes next to the smaller image.
            if is_critic:
                yield {"change": f"{start}{index + 1}", "stage": stage, "number": number}
            else:
                yield {
                    "change": f"{start}{index - 1}",
                    "stage": stage + 1,
                    "number": 0,
                    "enlarged": stage + 1,
                }
            stage, number = stage + 1, 0 if is_critic else 1
        elif isinstance(layer, nn.Conv2d):
            yield {"basis": f"{start}{index}", "project": f"{index + 2}", "stage": stage, "number": number}
    yield {"last": f"{start}{len(chain) - 1}"} if not is_critic else {"first": f"{start}0"}


AT = "MainLayers.{stage}.Layers.{number}"
BLOCK = (
    Pair("{block}.residual.0.linear.weight", f"{AT}.LinearLayer1.Layer.weight", POINTWISE),
    Pair("{block}.residual.0.linear.bias", f"{AT}.NonLinearity1.Bias"),
    Pair("{block}.residual.2.weight", f"{AT}.LinearLayer2.Layer.weight"),
    Pair("{block}.residual.2.bias", f"{AT}.NonLinearity2.Bias"),
    Pair("{block}.residual.4.linear.weight", f"{AT}.LinearLayer3.Layer.weight", POINTWISE),
    Pair("{change}.linear.weight", f"{AT}.LinearLayer.Layer.weight", POINTWISE),
)
GENERATOR = NameTable(
    (
        Pair("with_label.vectors.weight", "EmbeddingLayer.weight", DENSE),
        Pair("basis.patterns", "MainLayers.0.Layers.0.Basis", PATTERNS),
        Pair("basis.strengths.weight", "MainLayers.0.Layers.0.LinearLayer.weight"),
        *BLOCK,
        Pair("{last}.linear.weight", "AggregationLayer.Layer.weight", POINTWISE),
    ),
    _places,
    CONSTANTS,
    constant_names=(
        (
            "MainLayers.{enlarged}.Layers.0.Resampler.Kernel",
            "MainLayers.{enlarged}.Layers.1.LinearLayer1.Layer.weight",
        ),
    ),
)
CRITIC = NameTable(
    (
        Pair("vectors.weight", "EmbeddingLayer.weight", DENSE),
        Pair("project.weight", f"{AT}.LinearLayer.weight"),
        Pair("{first}.linear.weight", "ExtractionLayer.Layer.weight", POINTWISE),
        *BLOCK,
        Pair("{basis}.weight", f"{AT}.Basis.weight"),
        Pair("{project}.weight", f"{AT}.LinearLayer.weight"),
    ),
    _places,
    CONSTANTS,
)
