"""CycleGAN in its authors' PyTorch files: a generator or critic of one direction in each."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gans.core.published_format import PublishedFormat, PublishedNetwork, PublishedRole, Recognized, tensor_of
from gans.core.published_layers import (
    check_alike,
    check_all_known,
    equal_channels,
    has_patch_layers,
    norm_of,
    patch_critic_settings,
)
from gans.core.published_names import join_tables
from gans.published.cyclegan import CRITIC, CRITICS, GENERATOR, GENERATORS

BLOCK = re.compile(r"model\.(\d{1,3})\.conv_block\.(\d)\.weight")
FIRST_BLOCK = 10  # number of the layer
CONVOLUTIONS, WITH_DROPOUT = {1, 5}, {1, 6}  # within a block
# Names of files, such as latest_net_G_A, 200_net_D_B or latest_net_G, and of state dicts within one.
NAME = re.compile(r"(?:.*[_.-])?(?:net_?)?[GD](?:_([AB]))?")
DIRECTIONS = {("A",): "a-to-b", ("B",): "b-to-a", ("A", "B"): "both"}  # by the letters of the generators


def recognize(networks: Sequence[PublishedNetwork]) -> Recognized | None:
    """Recognizes generators and critics by direction, and derives the settings that build them."""
    generators = [each for each in networks if any(map(BLOCK.fullmatch, each.tensors))]
    critics = [each for each in networks if has_patch_layers(each)]
    if not generators:
        return None
    check_all_known(networks, [*generators, *critics], "CycleGAN")
    makers = _by_letter(generators, "G", "A")
    settings = check_alike({each.name: _settings(each) for each in makers.values()})
    settings["arch.directions"] = DIRECTIONS[tuple(sorted(makers))]
    found: dict[PublishedRole, PublishedNetwork] = {"generator": _join(makers, "G")}
    if critics:
        judges = _by_letter(critics, "D", min(makers))
        if judges.keys() != makers.keys():
            raise ValueError(
                f"{' and '.join(each.name for each in judges.values())} judge other directions than "
                f"{' and '.join(each.name for each in makers.values())} make; give D_A with G_A, D_B with G_B"
            )
        width, channels = settings["width"], settings["channels"]
        settings |= check_alike(
            {each.name: patch_critic_settings(each, width, channels) for each in judges.values()}
        )
        found["critic"] = _join(judges, "D")
    return Recognized(settings, found)


def _by_letter(networks: Sequence[PublishedNetwork], kind: str, usual: str) -> dict[str, PublishedNetwork]:
    """Networks by the letter of their direction; of one whose name does not tell, it is the usual one.

    Raises ValueError for several whose names do not tell them apart.
    """
    matches = [NAME.fullmatch(each.name) for each in networks]
    letters = [match[1] if match else None for match in matches]
    if letters == [None]:
        letters = [usual]
    if None in letters or len(set(letters)) < len(letters):
        names = " and ".join(each.name for each in networks)
        raise ValueError(
            f"{names} are {len(networks)} networks whose names do not tell their directions; name the files "
            f"as the authors do, such as latest_net_{kind}_A.pth"
        )
    return {str(letter): each for letter, each in zip(letters, networks, strict=True)}


def _join(networks: Mapping[str, PublishedNetwork], kind: str) -> PublishedNetwork:
    """Joins the networks of directions to one, whose tensors begin with their published names."""
    tensors = {
        f"{kind}_{letter}.{name}": tensor
        for letter, each in networks.items()
        for name, tensor in each.tensors.items()
    }
    return PublishedNetwork(" and ".join(each.name for each in networks.values()), tensors)


def _settings(network: PublishedNetwork) -> dict[str, Any]:
    """Derives the settings of a generator from its shapes. Raises ValueError for other layers."""
    blocks: dict[int, set[int]] = {}
    for name, tensor in network.tensors.items():
        if (match := BLOCK.fullmatch(name)) and tensor.dim() == 4:
            blocks.setdefault(int(match[1]), set()).add(int(match[2]))
    if WITH_DROPOUT in blocks.values():
        raise ValueError(
            f"{network.name} has dropout in its residual blocks (trained without --no_dropout), which "
            "CycleGAN has not"
        )
    end = FIRST_BLOCK + len(blocks)
    if sorted(blocks) != [*range(FIRST_BLOCK, end)] or any(own != CONVOLUTIONS for own in blocks.values()):
        raise ValueError(
            f"{network.name} has other residual blocks than CycleGAN's, which come after two halvings and "
            "have reflected borders"
        )
    first = tensor_of(network, "model.1.weight", 4)
    last = tensor_of(network, f"model.{end + 7}.weight", 4)
    return {
        "channels": equal_channels(network, first.shape[1], len(last)),
        "width": len(first),
        "arch.blocks": len(blocks),
        "arch.norm": norm_of(network, "model.1", "model.2"),
    }


cyclegan = PublishedFormat(
    architecture="cyclegan",
    what="CycleGAN's PyTorch files, of one direction or both",
    generator=join_tables(GENERATOR, GENERATORS),
    critic=join_tables(CRITIC, CRITICS),
    recognize=recognize,
    names={},
    has_sides=False,
)
