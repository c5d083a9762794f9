"""pix2pix in its authors' PyTorch files: a U-Net, and its critic of pairs."""

from collections.abc import Sequence
from typing import Any

from gans.core.published_format import (
    PublishedFormat,
    PublishedNetwork,
    Recognized,
    assign_roles,
    tensor_of,
)
from gans.core.published_layers import (
    check_all_known,
    equal_channels,
    has_patch_layers,
    norm_of,
    patch_critic_settings,
)
from gans.published.pix2pix import CRITIC, GENERATOR

OUTERMOST, LEVEL = "model.model.0", "model.model.1.model"
NOISELESS = 5  # halvings of the authors' deepest U-Net without dropout


def recognize(networks: Sequence[PublishedNetwork]) -> Recognized | None:
    """Recognizes a U-Net and its critic, and derives the settings that build them from shapes.

    Shapes do not tell whether layers drop features: they are taken to, as the authors train them.
    """
    generators = [each for each in networks if f"{OUTERMOST}.weight" in each.tensors]
    critics = [each for each in networks if has_patch_layers(each)]
    if not generators and not critics:
        return None
    check_all_known(networks, [*generators, *critics], "pix2pix")
    if letters := [each.name for each in generators if each.name.endswith(("G_A", "G_B"))]:
        raise ValueError(
            f"{letters[0]} is a U-Net of CycleGAN, by its name; its generators are residual here"
        )
    roles = assign_roles(generators, critics, "pix2pix or CycleGAN")
    settings, depth = _settings(roles["generator"])
    if "critic" in roles:
        settings |= patch_critic_settings(roles["critic"], settings["width"], 2 * settings["channels"])
    side = 2**depth
    defaults = {"image_size": (side, side), "arch.noisy_layers": max(0, depth - NOISELESS)}
    return Recognized(settings, roles, defaults)


def _settings(network: PublishedNetwork) -> tuple[dict[str, Any], int]:
    """Derives the settings of a generator from its shapes, and how often it halves the image."""
    depth, path = 1, LEVEL
    while f"{path}.1.weight" in network.tensors:
        depth, path = depth + 1, f"{path}.3.model"
    if depth < 3:
        raise ValueError(f"{network.name} is a U-Net of {depth} halvings; it needs 3 or more")
    first = tensor_of(network, f"{OUTERMOST}.weight", 4)
    last = tensor_of(network, "model.model.3.weight", 4)
    found = {
        "channels": equal_channels(network, first.shape[1], last.shape[1]),
        "width": len(first),
        "arch.halvings": depth,
        "arch.norm": norm_of(network, OUTERMOST, f"{LEVEL}.2"),
    }
    return found, depth


pix2pix = PublishedFormat(
    architecture="pix2pix",
    what="pix2pix's PyTorch files of U-Nets",
    generator=GENERATOR,
    critic=CRITIC,
    recognize=recognize,
    names={"generator": "G", "critic": "D"},
    has_sides=False,
)
