"""Import of published weights into a folder that every tool reads as a finished run."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from experiments.config.factory import build_network
from experiments.config.resolve import RunSpec, resolve
from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.files import write_atomically
from experiments.core.named_values import SettingValues
from experiments.core.settings import Settings, flag, read_setting
from experiments.runs.export import export_network
from experiments.runs.folder import RunFolder
from experiments.runs.published.files import PublishedFile, read_published_file
from experiments.runs.published.sides import sides_for
from experiments.runs.weights import Role, build_without_weights
from gans.core.attributes import column_names, groups_from_columns
from gans.core.published_format import (
    COUNTED,
    PublishedFormat,
    PublishedNetwork,
    PublishedRole,
    Recognized,
)

log = logging.getLogger("gans")

KIND = "published-format"
PRESET = "paper"  # of the settings that the weights do not tell
MOST_SHOWN = 3  # networks that an error describes
NAME_THEM = (
    "name them in the order of the training: --attributes NAME,NAME,…, or NAME=VALUE of exclusive ones"
)


class Networks(NamedTuple):
    """Networks of published weights, built here.

    Attributes:
        spec: their settings.
        format: name of the format.
        names: their names in the files, by role.
        networks: by role, on the CPU.
    """

    spec: RunSpec
    format: str
    names: Mapping[PublishedRole, str]
    networks: Mapping[PublishedRole, nn.Module]


@dataclass(frozen=True)
class Wishes:
    """Settings that the user gives beside the files of weights.

    Attributes:
        arch: their architecture; None for any that is recognized.
        settings: settings by name and options by key, such as the data of evaluations.
    """

    arch: str | None = None
    settings: SettingValues | None = None


def import_weights(files: Sequence[Path], out: Path, wishes: Wishes = Wishes()) -> RunFolder:
    """Imports the networks in files of published weights into a new folder; nothing in them is executed.

    Raises UsageError for files that cannot be read, that hold networks of another kind, or whose weights do
    not fit, and for a folder that holds more than a killed import; RunError where it cannot be written.
    """
    folder = RunFolder(out)
    _check_folder(folder)
    contents = [read_published_file(path) for path in files]
    found = build_published(contents, wishes)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with folder.lock():
            _check_folder(folder)  # again: another import may have come to its end
            _write(folder, found, contents)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}; take another --out") from error
    return folder


def _check_folder(folder: RunFolder) -> None:
    """Checks that a folder is free, or holds what a killed import left. Raises UsageError."""
    has_scores = folder.scores_file.exists() or folder.evaluation_file.exists()
    was_killed = folder.is_imported and not folder.is_finished and not has_scores
    if not folder.is_free and not was_killed:
        raise UsageError(f"--out {folder.path}: the folder is not empty; take another --out")


def build_published(contents: Sequence[PublishedFile], wishes: Wishes = Wishes()) -> Networks:
    """Builds the networks of files of published weights, with their weights. Raises UsageError."""
    names = ", ".join(content.name for content in contents)
    networks = [network for content in contents for network in content.networks]
    try:
        name, form, recognized = _recognize(networks, wishes.arch)
        told = {key: value for content in contents for key, value in content.settings.items()}
        spec = _specify(form, recognized, told, wishes.settings or {}, names)
        built = {
            role: _build(spec.settings, role, form, network) for role, network in recognized.networks.items()
        }
    except ValueError as error:
        raise UsageError(f"{names}: {error}") from error
    return Networks(spec, name, {role: each.name for role, each in recognized.networks.items()}, built)


def _recognize(
    networks: Sequence[PublishedNetwork], arch: str | None
) -> tuple[str, PublishedFormat, Recognized]:
    """Finds the format of networks. Raises ValueError where there is none, UsageError for such an `arch`."""
    formats: dict[str, PublishedFormat] = {name: registry.load(KIND, name) for name in registry.names(KIND)}
    if arch is not None:
        registry.check_name("architecture", arch)
        known = sorted({form.architecture for form in formats.values()})
        if arch not in known:
            raise UsageError(
                f"--arch {arch}: there is no format of its weights; there are: {', '.join(known)}"
            )
        formats = {name: form for name, form in formats.items() if form.architecture == arch}
    readable = "; ".join(f"{form.what} ({name})" for name, form in formats.items())
    for name, form in formats.items():
        try:
            found = form.recognize(networks)
        except ValueError as error:
            raise ValueError(f"{error}; what can be read: {readable}") from error
        if found:
            return name, form, found
    raise ValueError(f"holds {_describe(networks)}; what can be read: {readable}")


def _describe(networks: Sequence[PublishedNetwork]) -> str:
    """Describes networks that nothing recognizes, by their classes and a tensor of each."""
    words = [
        f"{each.name}{f' ({each.class_name})' if each.class_name else ''} with {min(each.tensors)}"
        for each in networks
        if each.tensors
    ]
    more = f" and {len(words) - MOST_SHOWN} more" if len(words) > MOST_SHOWN else ""
    return ", ".join(word[:100] for word in words[:MOST_SHOWN]) + more if words else "no network with weights"


def _specify(
    form: PublishedFormat,
    recognized: Recognized,
    told: SettingValues,
    asked: SettingValues,
    names: str,
) -> RunSpec:
    """Resolves the settings of imported networks; classes and attributes are theirs, whatever the data has.

    Args:
        told: what files exported from here say beside names and shapes.
        names: of the files, for sources.
    """
    own = {key: value for key, value in recognized.settings.items() if key not in COUNTED}
    if twice := sorted(set(own) & set(asked) - {"arch.conv_clamp"}):
        raise UsageError(f"{flag(twice[0])}: the weights decide that; leave it out")
    values = {**(told or recognized.defaults), **own}
    given = {**values, **asked}
    settled: dict[str, Any] = {}
    count, has_data = recognized.settings.get("attributes"), "data" in asked
    if count and not has_data:
        settled["attributes"] = _attribute_names(given.pop("attributes", None), count)
    spec = resolve({"arch": form.architecture, "preset": PRESET, **given})
    if count and len(spec.settings.attributes) != count and has_data:
        raise ValueError(
            f"data {spec.settings.data} has {len(spec.settings.attributes)} attributes, and the weights take "
            f"{count}; {NAME_THEM}"
        )
    if classes := recognized.settings.get("classes"):
        settled |= {"conditional": True, "classes": classes}
    of_weights = dict.fromkeys([*(values.keys() - asked.keys()), *settled], f"weights of {names}")
    if "attributes" in asked:
        of_weights.pop("attributes", None)
    return RunSpec(replace(spec.settings, **settled), {**spec.sources, **of_weights})


def _attribute_names(words: object, count: int) -> tuple[str, ...]:
    """Reads the names of so many attributes, which weights do not have. Raises ValueError for others."""
    if words is None:
        raise ValueError(
            f"the weights take {count} attributes, whose names the files do not have; {NAME_THEM}"
        )
    try:
        found: tuple[str, ...] = read_setting("attributes", words)
    except ValueError as error:
        raise UsageError(f"--attributes {error}") from error
    if len(found) != count:
        raise UsageError(f"--attributes names {len(found)}, and the weights take {count}; {NAME_THEM}")
    if column_names(groups_from_columns(found)) != found:
        raise UsageError(
            "--attributes names one twice, or values of one apart; name each once, values together"
        )
    return found


def _build(
    settings: Settings, role: PublishedRole, form: PublishedFormat, network: PublishedNetwork
) -> nn.Module:
    """Builds a network with published weights, in float32. Raises ValueError for weights that do not fit."""
    player: Role = "critic" if role == "critic" else "generator"
    count = sum(tensor.numel() for tensor in network.tensors.values())
    try:
        empty = build_without_weights(settings, player, count)
    except ValueError as error:
        raise ValueError(f"{network.name} has fewer weights than its settings tell") from error
    table = form.table(role)
    try:
        table.check_constants(network.tensors)
        weights = table.to_ours(empty, sides_for(form, settings), network.tensors)
    except ValueError as error:
        raise ValueError(f"{network.name}: {error}") from error
    built = build_network(settings, player)
    state: dict[str, Tensor] = built.state_dict()
    for name, weight in weights.items():
        kind = torch.float32 if state[name].is_floating_point() else state[name].dtype
        if weight.is_floating_point() != kind.is_floating_point or weight.is_complex():
            own = str(weight.dtype).removeprefix("torch.")
            raise ValueError(f"{network.name} holds {own} for {name}, which is {kind}")
        state[name] = weight.to(kind)
    built.load_state_dict(state)
    return built.eval().requires_grad_(False)


def _write(folder: RunFolder, found: Networks, contents: Sequence[PublishedFile]) -> None:
    """Writes the folder; last the generator, by which it is a finished run."""
    provenance = {
        "format": found.format,
        "networks": dict(found.names),
        "files": [
            {"name": each.name, "sha256": each.sha256, "form": each.form}
            | ({"licence": each.licence} if each.licence else {})
            for each in contents
        ],
    }
    write_atomically(folder.import_file, (json.dumps(provenance, indent=2) + "\n").encode())
    folder.write_config(found.spec)
    files: dict[PublishedRole, Path] = {
        "critic": folder.critic_file,
        "training_generator": folder.training_generator_file,
        "generator": folder.generator_file,
    }
    for role, file in files.items():
        if role in found.networks:
            player: Role = "critic" if role == "critic" else "generator"
            export_network(found.networks[role], found.spec.settings, file, player)
        else:  # a killed import of other files may have left one
            file.unlink(missing_ok=True)
