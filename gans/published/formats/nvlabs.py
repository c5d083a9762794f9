"""StyleGAN2 in NVlabs' files (stylegan2-ada-pytorch, and StyleGAN3's files of StyleGAN2)."""

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
from gans.published.stylegan2 import CRITIC, GENERATOR, MOST_LAYERS

STYLEGAN3 = re.compile(r"synthesis\.L\d+_\d+_\d+\.weight")
BLOCK = re.compile(r"(synthesis\.)?b(\d+)\.")
SKIPS = {"resnet": "residual", "orig": "none"}
ACTIVATION = "lrelu"
LINEAR = re.compile(r"(.*\.)?(affine|embed|out|skip)\.activation")  # layers that do not bend
MAPPING_RATE = 0.01  # of critics


def recognize(networks: Sequence[PublishedNetwork]) -> Recognized | None:
    """Recognizes generators and a critic of StyleGAN2, and derives the settings that build them."""
    generators = [each for each in networks if "synthesis.b4.const" in each.tensors]
    critics = [each for each in networks if "b4.fc.weight" in each.tensors]
    for each in networks:
        if found := next(filter(STYLEGAN3.match, sorted(each.tensors)), None):
            config = "R" if each.tensors[found].shape[-1] == 1 else "T"
            raise ValueError(f"{each.name} is a generator of StyleGAN3 (config {config})")
    if not generators and not critics:
        return None
    roles = assign_roles(generators, critics, "StyleGAN2")
    settings = _generator_settings(roles["generator"])
    if "critic" in roles:
        settings |= _critic_settings(roles["critic"], settings.get("arch.conv_clamp", "unknown"))
    return Recognized(settings, roles)


def _generator_settings(network: PublishedNetwork) -> dict[str, Any]:
    """Derives the settings of a generator: sizes from its shapes, the rest from what the file says."""
    side = _side(network)
    z_dim, w_dim = _z_dim(network), len(tensor_of(network, "mapping.w_avg", 1))
    if w_dim != z_dim:
        raise ValueError(
            f"{network.name} has z of length {z_dim} and w of length {w_dim}, which must be equal"
        )
    _check_words(network, "synthesis.b4.architecture", "synthesis_kwargs.architecture", "skip")
    _check_activations(network)
    layers = sum(f"mapping.fc{index}.weight" in network.tensors for index in range(MOST_LAYERS))
    last = tensor_of(network, f"synthesis.b{side}.conv1.weight", 4)
    widest = len(tensor_of(network, "synthesis.b4.const", 3))
    found: dict[str, Any] = {
        "image_size": (side, side),
        "channels": len(tensor_of(network, f"synthesis.b{side}.torgb.weight", 4)),
        "z_dim": z_dim,
        "width": len(last),
        "arch.mapping_layers": layers,
        "arch.widest": _constructed(network, "synthesis_kwargs.channel_max", "channel_max") or widest,
    }
    paths = ("synthesis.b4.conv1.conv_clamp", "_init_kwargs.synthesis_kwargs.conv_clamp")
    rate = network.value("mapping.fc0.bias_gain", "_init_kwargs.mapping_kwargs.lr_multiplier")
    decay = network.value("mapping.w_avg_beta", "_init_kwargs.mapping_kwargs.w_avg_beta")
    known = {"arch.mapping_rate": rate, "arch.w_mean_decay": decay, "classes": _classes(network)}
    found |= {key: value for key, value in known.items() if value}
    if any(path in network.values for path in paths):
        found["arch.conv_clamp"] = network.value(*paths)
    return found


def _critic_settings(network: PublishedNetwork, clamp: Any) -> dict[str, Any]:
    """Derives the settings of a critic; its convolutions have the same bound as the generator's."""
    side = _side(network)
    outer = [size for size in _sides(network) if size < side]
    if any(f"b{size}.fromrgb.weight" in network.tensors for size in outer):
        raise ValueError(f"{network.name} is a critic with images added at every size (architecture skip)")
    _check_activations(network)
    paths = (f"b{side}.conv0.conv_clamp", "_init_kwargs.conv_clamp")
    if any(path in network.values for path in paths) and network.value(*paths) != clamp != "unknown":
        raise ValueError(f"{network.name} has conv_clamp {network.value(*paths)}, the generator {clamp}")
    if (rate := network.value("mapping.fc0.bias_gain", default=MAPPING_RATE)) != MAPPING_RATE:
        raise ValueError(f"{network.name} has mapping rate {rate}, not {MAPPING_RATE}")
    architecture = "resnet" if f"b{side}.skip.weight" in network.tensors else "orig"
    group = network.value("b4.mbstd.group_size", "_init_kwargs.epilogue_kwargs.mbstd_group_size")
    wide = len(tensor_of(network, "b4.conv.weight", 4))
    more = tensor_of(network, "b4.conv.weight", 4).shape[1] - wide
    if more > 1 or not isinstance(group, int | None):
        raise ValueError(f"{network.name} has minibatch deviations of {more} channels in groups of {group}")
    found: dict[str, Any] = {"arch.critic_skips": SKIPS[architecture]}
    if not more:
        return found | {"minibatch_statistic": "none"}
    return found | ({"minibatch_statistic.group_size": group} if group is not None else {})


def _sides(network: PublishedNetwork) -> list[int]:
    """Sides of the images of a network's blocks. Raises ValueError where one is missing, or is not ours."""
    found = sorted({int(match[2][:9]) for name in network.tensors if (match := BLOCK.match(name))})
    if found != [4 << index for index in range(len(found))]:
        raise ValueError(f"{network.name} has blocks of {', '.join(map(str, found[:9]))} pixels")
    return found


def _side(network: PublishedNetwork) -> int:
    """The side of a network's images, in pixels."""
    return _sides(network)[-1]


def _classes(network: PublishedNetwork) -> int:
    """Number of classes, of which the mapping network embeds the labels."""
    is_conditional = "mapping.embed.weight" in network.tensors
    return tensor_of(network, "mapping.embed.weight", 2).shape[1] if is_conditional else 0


def _z_dim(network: PublishedNetwork) -> int:
    """Length of z, which the first layer of the mapping network takes before the embedded label."""
    takes = tensor_of(network, "mapping.fc0.weight", 2).shape[1]
    return takes - (len(tensor_of(network, "mapping.embed.weight", 2)) if _classes(network) else 0)


def _constructed(network: PublishedNetwork, *names: str) -> Any:
    """The argument of a network's constructor that has one of these names; None where there is none."""
    return network.value(*(f"_init_kwargs.{name}" for name in names))


def _check_words(network: PublishedNetwork, path: str, constructed: str, known: str) -> None:
    """Checks that a network says one word of itself, or nothing. Raises ValueError."""
    word = network.value(path, f"_init_kwargs.{constructed}", default=known)
    if word != known:
        raise ValueError(f"{network.name} has {path.rpartition('.')[2]} {word}, not {known}")


def _check_activations(network: PublishedNetwork) -> None:
    """Checks that all layers bend as here. Raises ValueError."""
    for path, value in network.values.items():
        is_layer = path.endswith(".activation") and "_init_kwargs" not in path
        if is_layer and value != (known := "linear" if LINEAR.fullmatch(path) else ACTIVATION):
            raise ValueError(f"{network.name} has activation {value} in {path}, not {known}")


nvlabs = PublishedFormat(
    architecture="stylegan2",
    what="StyleGAN2 of NVlabs' snapshots",
    generator=GENERATOR,
    critic=CRITIC,
    recognize=recognize,
)
