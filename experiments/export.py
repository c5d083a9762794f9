"""A network as one file: weights in safetensors, and what is needed to build it again."""

import json
from pathlib import Path
from typing import Any, Literal

from torch import nn

from experiments.build import build_networks
from experiments.checkpoint import write_atomically
from experiments.errors import UsageError
from experiments.settings import FIELDS, Settings, read_value

METADATA_KEY = "gans"  # one key only: with several, safetensors writes them in random order
Player = Literal["generator", "critic"]
# The settings that build each of them; no paths, so that equal runs give equal bytes.
SHARED = ("arch", "image_size", "channels", "width", "classes", "attributes")
NEEDED: dict[Player, tuple[str, ...]] = {
    "generator": (*SHARED, "z_dim"),
    "critic": (*SHARED, "critic_norm", "critic_dropout", "minibatch_statistic"),
}
# What files of older versions do not say.
LATER = {"classes": None, "attributes": (), "minibatch_statistic": None}


def export_network(network: nn.Module, settings: Settings, path: Path, player: Player = "generator") -> None:
    """Writes the parameters and buffers of a run's generator or critic. Equal networks give equal bytes."""
    from safetensors.torch import save

    tensors = {name: value.cpu().contiguous() for name, value in sorted(network.state_dict().items())}
    description = {name: getattr(settings, name) for name in NEEDED[player]}
    write_atomically(path, save(tensors, metadata={METADATA_KEY: json.dumps(description)}))


def import_network(path: Path, player: Player = "generator") -> tuple[nn.Module, Settings]:
    """The network in a file that `export_network` wrote, in evaluation mode, and its settings.

    Raises UsageError for a file that is not one, or holds the other player.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            description = {**LATER, **json.loads((file.metadata() or {})[METADATA_KEY])}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        values: dict[str, Any] = {"z_dim": 100}  # of the generator that is built beside a critic
        values |= {name: read_value(name, description[name]) for name in NEEDED[player]}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a {player} exported by gans") from error
    settings = Settings(**{name: values.get(name, f.default) for name, f in FIELDS.items()})
    generator, critic = build_networks(settings)
    network = generator if player == "generator" else critic
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise UsageError(f"{path}: its weights are not those of a {settings.arch} {player}") from error
    return network.eval().requires_grad_(False), settings
