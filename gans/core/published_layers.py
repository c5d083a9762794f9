"""Layers of published translators, read from the names and shapes of their tensors."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gans.core.published_format import PublishedNetwork, tensor_of

CONVOLUTION = re.compile(r"model\.(\d{1,3})\.weight")
PATCH_KERNEL = (4, 4)


def has_patch_layers(network: PublishedNetwork) -> bool:
    """Whether a network begins with the convolution of a patch critic."""
    first = network.tensors.get("model.0.weight")
    return first is not None and first.dim() == 4


def norm_of(network: PublishedNetwork, convolution: str, norm: str) -> str:
    """Derives the kind of a norm from the tensors of a convolution and of the norm behind it.

    Raises ValueError for a kind that published translators do not have.
    """
    has_bias, has_scale = f"{convolution}.bias" in network.tensors, f"{norm}.weight" in network.tensors
    if has_bias == has_scale:
        what = "scaled norms behind biases" if has_bias else "no norms"
        raise ValueError(f"{network.name} has {what}; plain instance norm and batch norm can be built")
    return "batch" if has_scale else "plain-instance"


def patch_critic_settings(network: PublishedNetwork, width: int, channels: int) -> dict[str, Any]:
    """Derives the settings of a patch critic from its shapes.

    Args:
        width: of the generator.
        channels: that it sees, of all images.

    Raises ValueError for another critic.
    """
    kernels = {
        int(match[1]): tuple(tensor.shape[2:])
        for name, tensor in network.tensors.items()
        if (match := CONVOLUTION.fullmatch(name)) and tensor.dim() == 4
    }
    indices = sorted(kernels)
    if len(indices) < 3 or indices != [0, *range(2, indices[-1] + 1, 3)]:
        raise ValueError(f"{network.name} has convolutions at {_listed(indices)}, unlike a patch critic")
    if set(kernels.values()) != {PATCH_KERNEL}:
        raise ValueError(f"{network.name} has other convolutions than the 4x4 ones of a patch critic")
    own, sees = tensor_of(network, "model.0.weight", 4).shape[:2]
    if sees != channels:
        raise ValueError(f"{network.name} sees {sees} channels; the critic of this generator sees {channels}")
    found = {"critic_norm": norm_of(network, "model.2", "model.3"), "arch.patch_layers": len(indices) - 2}
    return found | ({} if own == width else {"arch.critic_width": own})


def equal_channels(network: PublishedNetwork, takes: int, makes: int) -> int:
    """Number of channels of a translator's images. Raises ValueError for one that changes it."""
    if takes != makes:
        raise ValueError(
            f"{network.name} makes images of {makes} channels from {takes}; both must be equal here"
        )
    return makes


def check_all_known(
    networks: Iterable[PublishedNetwork], known: Iterable[PublishedNetwork], kind: str
) -> None:
    """Checks that networks beside those of a kind have no weights. Raises ValueError for one that has."""
    names = {id(each) for each in known}
    for each in networks:
        if id(each) not in names and each.tensors:
            raise ValueError(f"{each.name} with {min(each.tensors)} is no network of {kind}; leave it out")


def check_alike(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Checks that networks, by name, have the same settings, and returns these. Raises ValueError."""
    (first, own), *others = settings.items()
    for name, other in others:
        for key in sorted(own.keys() | other.keys()):
            if own.get(key) != other.get(key):
                raise ValueError(
                    f"{first} has {key} {own.get(key, 'as usual')}, {name} {other.get(key, 'as usual')}; "
                    "both must be alike here"
                )
    return dict(own)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:9])) or "no place"
