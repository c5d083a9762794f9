"""R3GAN in its authors' names: snapshots of their training, state dicts and safetensors."""

import re
from collections.abc import Sequence
from typing import Any

from gans.core.published_format import (
    PublishedFormat,
    PublishedNetwork,
    Recognized,
    assign_roles,
    tensor_of,
)
from gans.published.r3gan import CRITIC, GENERATOR

WHOLE = "Model."  # before the names of a network that its training program wraps
BLOCK = re.compile(r"MainLayers\.(\d{1,3})\.Layers\.(\d{1,3})\.LinearLayer1\.Layer\.weight")
BASIS, START = "MainLayers.0.Layers.0.Basis", "MainLayers.0.Layers.0.LinearLayer.weight"
LABELS = "EmbeddingLayer.weight"
USUAL_WIDTH_UP_TO = 32  # pixels up to which networks have their full width
MODULES = {  # classes of a snapshot's networks, by the files that define them
    "training.networks": ("Generator", "Discriminator"),
    "R3GAN.Networks": (
        *("Generator", "Discriminator", "GeneratorStage", "DiscriminatorStage"),
        *("GenerativeBasis", "DiscriminativeBasis", "UpsampleLayer", "DownsampleLayer"),
        *("ResidualBlock", "Convolution"),
    ),
    "R3GAN.Resamplers": (
        *("InterpolativeUpsamplerCUDA", "InterpolativeDownsamplerCUDA"),
        *("InterpolativeUpsamplerReference", "InterpolativeDownsamplerReference"),
    ),
    "R3GAN.FusedOperators": ("BiasedActivationCUDA", "BiasedActivationReference"),
    "torch.nn.modules.container": ("ModuleList",),
    "torch.nn.modules.conv": ("Conv2d",),
    "torch.nn.modules.linear": ("Linear",),
}


def recognize(networks: Sequence[PublishedNetwork]) -> Recognized | None:
    """Recognizes generators and a critic of R3GAN, and derives the settings that build them from shapes."""
    plain = [_unwrap(each) for each in networks]
    generators = [each for each in plain if "AggregationLayer.Layer.weight" in each.tensors]
    critics = [each for each in plain if "ExtractionLayer.Layer.weight" in each.tensors]
    if not generators and not critics:
        return None
    roles = assign_roles(generators, critics, "R3GAN")
    return Recognized(_settings(roles["generator"]), roles)


def _unwrap(network: PublishedNetwork) -> PublishedNetwork:
    """The network within the one that the training program wraps around it."""
    if not network.tensors or not all(name.startswith(WHOLE) for name in network.tensors):
        return network
    tensors = {name.removeprefix(WHOLE): tensor for name, tensor in network.tensors.items()}
    return PublishedNetwork(network.name, tensors, network.class_name, network.values)


def _settings(network: PublishedNetwork) -> dict[str, Any]:
    """Derives the settings of a generator from its shapes."""
    stages = _blocks(network)
    smallest = tensor_of(network, BASIS, 3).shape[-1]
    side = smallest << (len(stages) - 1)
    widths = [_block(network, stage, blocks[0])[0] for stage, blocks in enumerate(stages)]
    full = [smallest << stage for stage, width in enumerate(widths) if width == widths[0]][-1]
    _, expansion, group = _block(network, 0, stages[0][0])
    labels = tensor_of(network, LABELS, 2) if LABELS in network.tensors else None
    z_dim = tensor_of(network, START, 2).shape[1] - (0 if labels is None else len(labels))
    if labels is not None and len(labels) != z_dim:
        raise ValueError(f"{network.name} has z of length {z_dim} and labels of length {len(labels)}")
    found: dict[str, Any] = {
        "image_size": (side, side),
        "channels": len(tensor_of(network, "AggregationLayer.Layer.weight", 4)),
        "z_dim": z_dim,
        "width": widths[0],
        "arch.blocks_per_scale": len(stages[0]),
        "arch.expansion": expansion,
        "arch.group_width": group,
        "arch.full_width_up_to": full if full < side or side > USUAL_WIDTH_UP_TO else USUAL_WIDTH_UP_TO,
    }
    return found | ({} if labels is None else {"classes": labels.shape[1]})


def _blocks(network: PublishedNetwork) -> list[list[int]]:
    """Numbers of the residual blocks of each stage. Raises ValueError where stages have unequal numbers."""
    found: dict[int, list[int]] = {}
    for match in filter(None, map(BLOCK.fullmatch, sorted(network.tensors))):
        found.setdefault(int(match[1]), []).append(int(match[2]))
    stages = [found.get(stage, []) for stage in range(len(found))]
    if not stages or any(len(blocks) != len(stages[0]) or not blocks for blocks in stages):
        counts = ", ".join(str(len(blocks)) for blocks in stages[:9])
        raise ValueError(f"{network.name} has {counts or 'no'} blocks in its stages, and not as many in each")
    return stages


def _block(network: PublishedNetwork, stage: int, number: int) -> tuple[int, int, int]:
    """Width, expansion and channels of a group of a residual block."""
    start = f"MainLayers.{stage}.Layers.{number}.LinearLayer"
    inner, width = tensor_of(network, f"{start}1.Layer.weight", 4).shape[:2]
    if inner % width:
        raise ValueError(f"{network.name} has blocks of {width} channels that are widened to {inner}")
    return width, inner // width, tensor_of(network, f"{start}2.Layer.weight", 4).shape[1]


r3gan = PublishedFormat(
    architecture="r3gan",
    what="R3GAN in its authors' names (snapshots, state dicts, safetensors)",
    generator=GENERATOR,
    critic=CRITIC,
    recognize=recognize,
    module_classes=frozenset(f"{file}.{name}" for file, names in MODULES.items() for name in names),
)
