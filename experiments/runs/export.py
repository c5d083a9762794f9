"""Export of a network as one file: weights in safetensors, and the settings that build it again."""

import json
import os
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import torch
from torch import Tensor, nn

from experiments.config.components import network_options
from experiments.config.files import settings_from
from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.files import open_regular_file, parse_json
from experiments.core.named_values import JsonObject
from experiments.core.settings import FIELDS, Settings, read_setting
from experiments.core.units import units_from, units_of
from experiments.runs.checkpoint import hash_file, hash_path, read_hash, write_with_hash
from experiments.runs.revisions import check_revision, with_earlier_options
from experiments.runs.score_lines import LARGEST_PROGRESS, LARGEST_STEP, is_number
from experiments.runs.weights import Role, build_with_weights
from metrics.core.safetensors_files import SafetensorsContent, read_safetensors

MOST_UNVERIFIED_BYTES = 2**30  # of an export of a version that wrote no hash; StyleGAN2's have 120 MB
METADATA_KEY = "gans"  # one key only: with several, safetensors writes them in random order
PUBLISHED_KEY = "format"  # in the metadata of files with published names
UNITS_KEY = "units"  # of images beyond 8 bits: the values that are −1 and 1, and their type
NETWORK_KEY = "network"  # the published name of the one network of such a file
# The settings that build each of them; no paths, so that equal runs give equal bytes.
SHARED = ("arch", "image_size", "channels", "width", "classes", "attributes")
NEEDED: dict[Role, tuple[str, ...]] = {
    "generator": (*SHARED, "z_dim"),
    "critic": (*SHARED, "critic_norm", "critic_dropout", "minibatch_statistic"),
}
# What files of older versions do not say.
LATER = {"classes": None, "attributes": (), "minibatch_statistic": None}


class ExportedNetwork(NamedTuple):
    """A network from an exported file in evaluation mode, its settings, its training's length, its revision.

    Step and kimg are None in files of older versions, and where they were unknown.
    """

    network: nn.Module
    settings: Settings
    step: int | None
    kimg: float | None
    revision: int


def describe_network(settings: Settings, player: Role) -> JsonObject:
    """Makes the metadata of an exported file: the settings that build the network.

    Of its options and the revision it has those that are not the default, so that a file says no more than it
    must.
    """
    description = {name: getattr(settings, name) for name in NEEDED[player]}
    # options of the architecture, and of what else this player is built from
    own = ("arch", *NEEDED[player])
    description |= {key: v for key, v in network_options(settings).items() if key.partition(".")[0] in own}
    units = units_of(settings.options)
    description |= {UNITS_KEY: list(units)} if units else {}
    revision = registry.load("architecture", settings.arch).revision
    return description | ({"revision": revision} if revision > 1 else {})


def export_network(
    network: nn.Module,
    settings: Settings,
    path: Path,
    player: Role = "generator",
    step: int | None = None,
    kimg: float | None = None,
) -> None:
    """Exports the parameters and buffers of a generator or critic, with a hash beside the file.

    Equal networks, trained for as long, give equal bytes.

    Args:
        step, kimg: how long it was trained; None where that is unknown.
    """
    from safetensors.torch import save

    tensors = {name: _as_exported(value) for name, value in sorted(network.state_dict().items())}
    progress = {} if step is None else {"step": step, "kimg": kimg}
    metadata = json.dumps({**describe_network(settings, player), **progress})
    content = save(tensors, metadata={METADATA_KEY: metadata})
    write_with_hash(path, lambda file: file.write(content))


def _as_exported(value: Tensor) -> Tensor:
    """A tensor as files have it: on the CPU, and in float32 where it was trained in float64."""
    return (value.float() if value.dtype == torch.float64 else value).cpu().contiguous()


def read_export(path: Path) -> SafetensorsContent:
    """Reads an exported file, checked against the hash beside it.

    Older versions wrote no hash. Raises UsageError for a file that is a link, damaged or none of safetensors,
    RunError where there is not enough memory.
    """
    try:
        with open_regular_file(path) as file:
            try:
                expected = read_hash(path)
            except FileNotFoundError:
                if file.seek(0, os.SEEK_END) > MOST_UNVERIFIED_BYTES:
                    raise UsageError(
                        f"{path} has more than {MOST_UNVERIFIED_BYTES:,} bytes and no "
                        f"{hash_path(path).name}; export it anew, or make that with sha256sum if you trust it"
                    ) from None
            else:
                if hash_file(file) != expected:
                    raise UsageError(f"{path} is damaged: it has not the content of {hash_path(path).name}")
            file.seek(0)
            content = file.readall()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be verified: {error}") from error
    except RunError as error:
        raise UsageError(str(error)) from error
    except MemoryError as error:
        raise RunError(f"{path}: not enough memory to read it; free some") from error
    try:
        return read_safetensors(content)
    except ValueError as error:
        raise UsageError(f"{path} is not a network exported by gans: {error}") from error


def import_network(path: Path, player: Role = "generator") -> tuple[nn.Module, Settings]:
    """Imports the network in a file that `export_network` wrote, and its settings, as `open_export` does."""
    return open_export(path, player)[:2]


def open_export(path: Path, player: Role = "generator") -> ExportedNetwork:
    """Opens a file that `export_network` wrote.

    Raises UsageError for a file that is not one, that is damaged, or that holds the other player.
    """
    metadata, tensors = read_export(path)
    try:
        description = {**LATER, **parse_json(metadata[METADATA_KEY])}
        if PUBLISHED_KEY in description:
            raise UsageError(
                f"{path} has published names, which gans import {quote(str(path))} --out DIR reads"
            )
        values = {name: read_setting(name, description[name]) for name in NEEDED[player]}
        options = {key: value for key, value in description.items() if "." in key}
        revision = int(description.get("revision", 1))
        units = units_from(description.get(UNITS_KEY))
        step, kimg = _progress(description)
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} is not a {player} exported by gans; gans import reads published weights"
        ) from error
    settings = settings_from({name: values.get(name, f.default) for name, f in FIELDS.items()} | options)
    settings = replace(settings, options={**settings.options, **(units.options if units else {})})
    check_revision(settings.arch, revision, str(path))
    settings = with_earlier_options(settings, revision)
    try:
        network = build_with_weights(settings, player, tensors)
        return ExportedNetwork(network, settings, step, kimg, revision)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def _progress(description: JsonObject) -> tuple[int | None, float | None]:
    """Step and kimg that an exported file says. Raises ValueError for numbers that cannot be."""
    step, kimg = description.get("step"), description.get("kimg")
    if step is not None and not (type(step) is int and 0 <= step <= LARGEST_STEP):
        raise ValueError("step is no number of steps")
    if kimg is not None and not (is_number(kimg) and 0 <= kimg <= LARGEST_PROGRESS):
        raise ValueError("kimg is no number of images")
    return step, None if kimg is None else float(kimg)
