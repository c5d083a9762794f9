"""Export of a network as one file: weights in safetensors, and the settings that build it again."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from torch import nn

from experiments.config.components import network_options
from experiments.config.factory import build_networks
from experiments.config.files import settings_from
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.files import parse_json
from experiments.core.named_values import JsonObject
from experiments.core.settings import FIELDS, Settings, read_setting
from experiments.runs.checkpoint import check_revision, hash_path, rename_keys, write_with_hash

METADATA_KEY = "gans"  # one key only: with several, safetensors writes them in random order
Role = Literal["generator", "critic"]
# The settings that build each of them; no paths, so that equal runs give equal bytes.
SHARED = ("arch", "image_size", "channels", "width", "classes", "attributes")
NEEDED: dict[Role, tuple[str, ...]] = {
    "generator": (*SHARED, "z_dim"),
    "critic": (*SHARED, "critic_norm", "critic_dropout", "minibatch_statistic"),
}
# What files of older versions do not say.
LATER = {"classes": None, "attributes": (), "minibatch_statistic": None}


def describe_network(settings: Settings, player: Role) -> JsonObject:
    """Makes the metadata of an exported file: the settings that build the network.

    Of its options and the revision it has those that are not the default, so that a file says no more than it
    must.
    """
    description = {name: getattr(settings, name) for name in NEEDED[player]}
    # options of the architecture, and of what else this player is built from
    own = ("arch", *NEEDED[player])
    description |= {key: v for key, v in network_options(settings).items() if key.partition(".")[0] in own}
    revision = registry.load("architecture", settings.arch).revision
    return description | ({"revision": revision} if revision > 1 else {})


def export_network(network: nn.Module, settings: Settings, path: Path, player: Role = "generator") -> None:
    """Exports the parameters and buffers of a generator or critic, with a hash beside the file.

    Equal networks give equal bytes.
    """
    from safetensors.torch import save

    tensors = {name: value.cpu().contiguous() for name, value in sorted(network.state_dict().items())}
    metadata = json.dumps(describe_network(settings, player))
    write_with_hash(path, save(tensors, metadata={METADATA_KEY: metadata}))


def check_hash(path: Path) -> None:
    """Checks an exported file against the hash beside it, if there is one (older versions wrote none).

    Raises UsageError for a file that has changed since, or cannot be read.
    """
    try:
        with suppress(FileNotFoundError):
            expected = hash_path(path).read_text(encoding="ascii").partition(" ")[0]
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    raise UsageError(f"{path} is damaged: it has not the content of {hash_path(path).name}")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be verified: {error}") from error


def import_network(path: Path, player: Role = "generator") -> tuple[nn.Module, Settings]:
    """Imports the network in a file that `export_network` wrote, in evaluation mode, and its settings.

    Raises UsageError for a file that is not one, that is damaged, or that holds the other player.
    """
    from safetensors import SafetensorError, safe_open

    check_hash(path)
    try:
        with safe_open(path, framework="pt") as file:
            description = {**LATER, **parse_json((file.metadata() or {})[METADATA_KEY])}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        values: dict[str, Any] = {"z_dim": 100}  # of the generator that is built beside a critic
        values |= {name: read_setting(name, description[name]) for name in NEEDED[player]}
        options = {key: value for key, value in description.items() if "." in key}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a {player} exported by gans") from error
    settings = settings_from({name: values.get(name, f.default) for name, f in FIELDS.items()} | options)
    check_revision(settings.arch, description.get("revision", 1), str(path))
    generator, critic = build_networks(settings)
    network = generator if player == "generator" else critic
    try:
        network.load_state_dict(
            rename_keys(tensors, registry.load("architecture", settings.arch).renamed_keys)
        )
    except RuntimeError as error:
        raise UsageError(f"{path}: its weights are not those of a {settings.arch} {player}") from error
    return network.eval().requires_grad_(False), settings
