"""StarGAN in its authors' PyTorch files: a generator and its critic."""

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
from gans.core.published_layers import check_all_known
from gans.published.stargan import CRITIC, GENERATOR

BLOCK = re.compile(r"main\.(\d{1,3})\.main\.0\.weight")
FIRST_BLOCK = 9  # number of the layer
CONVOLUTION = re.compile(r"main\.(\d{1,3})\.weight")
HEADS = {"conv1.weight", "conv2.weight"}  # of the critic: patches, attributes


def recognize(networks: Sequence[PublishedNetwork]) -> Recognized | None:
    """Recognizes a generator and its critic, and derives the settings that build them from shapes.

    The files do not have the names of the attributes.
    """
    generators = [each for each in networks if any(map(BLOCK.fullmatch, each.tensors))]
    critics = [each for each in networks if each.tensors.keys() >= HEADS]
    if not generators and not critics:
        return None
    check_all_known(networks, [*generators, *critics], "StarGAN")
    roles = assign_roles(generators, critics, "StarGAN")
    settings = _settings(roles["generator"])
    if "critic" in roles:
        settings |= _critic_settings(roles["critic"], settings)
    return Recognized(settings, roles)


def _settings(network: PublishedNetwork) -> dict[str, Any]:
    """Derives the settings of a generator from its shapes."""
    blocks = sorted(int(match[1]) for match in map(BLOCK.fullmatch, network.tensors) if match)
    end = FIRST_BLOCK + len(blocks)
    if blocks != [*range(FIRST_BLOCK, end)]:
        raise ValueError(f"{network.name} has other residual blocks than StarGAN's, after two halvings")
    first = tensor_of(network, "main.0.weight", 4)
    channels = len(tensor_of(network, f"main.{end + 6}.weight", 4))
    if (attributes := first.shape[1] - channels) < 1:
        raise ValueError(f"{network.name} takes {first.shape[1]} channels, with none for attributes")
    return {"channels": channels, "width": len(first), "arch.blocks": len(blocks), "attributes": attributes}


def _critic_settings(network: PublishedNetwork, settings: dict[str, Any]) -> dict[str, Any]:
    """Derives the settings of a critic, and the image size, from its shapes."""
    layers = sum(bool(CONVOLUTION.fullmatch(name)) for name in network.tensors)
    own, channels = tensor_of(network, "main.0.weight", 4).shape[:2]
    attributes, _, height, width = tensor_of(network, "conv2.weight", 4).shape
    for what, of_critic in (("channels", channels), ("attributes", attributes)):
        if of_critic != settings[what]:
            raise ValueError(f"{network.name} has {of_critic} {what}, the generator {settings[what]}")
    found = {"image_size": (height << layers, width << layers), "arch.critic_layers": layers}
    return found | ({} if own == settings["width"] else {"arch.critic_width": own})


stargan = PublishedFormat(
    architecture="stargan",
    what="StarGAN's PyTorch files",
    generator=GENERATOR,
    critic=CRITIC,
    recognize=recognize,
    names={"generator": "G", "critic": "D"},
    has_sides=False,
)
