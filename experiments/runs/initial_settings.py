"""Settings of a run that begins from weights, whose networks it builds unless asked otherwise."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from experiments.config.components import network_options
from experiments.config.factory import build_networks
from experiments.config.files import MOST_CONFIG_BYTES, is_resolved
from experiments.config.precedence import Layer, flatten
from experiments.config.resolve import RunSpec, resolve
from experiments.config.run_length import planned_images
from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.files import parse_json, read_regular_file
from experiments.core.named_values import SettingValues
from experiments.core.settings import Settings
from experiments.data.core.sources import absolute_spec
from experiments.runs.folder import RunFolder
from experiments.runs.initial_weights import InitialWeights, read_initial_weights
from experiments.runs.weights import Role
from gans.core.growth import GrowingGenerator
from gans.core.layer_matching import LayerMatch, match_layers

ORIGIN = "--init-from"  # with which the sources of all these values begin
# Of the run, at most: it may be shorter than the half-life of an EMA that suits millions of images.
WARMUP_SHARE, EMA_SHARE = 0.1, 0.05
WARMUP_KIMG = 1.0
NETWORK = ("arch", "image_size", "channels", "z_dim", "width")
ROLES: tuple[Role, ...] = ("generator", "critic")


def resolve_run(
    flags: SettingValues,
    file: SettingValues | None = None,
    file_name: str = "",
    strengths: Mapping[str, float] | None = None,
    folder: RunFolder | None = None,
) -> RunSpec:
    """Resolves the settings of a new run, as `resolve` does, with those that initial weights bring.

    With `--init-from` the networks are built as those that it names; where the image size is another, with
    the width at which most of their weights fit. The EMA has no ramp-up, as published for fine-tuning, and on
    other data, or in other networks, a half-life of at most EMA_SHARE of the run; the learning rates warm up.

    Args:
        folder: where the run is to be. One that began from the same weights has what it needs of them.

    Raises UsageError for values that cannot be, and where `read_initial_weights` does.
    """
    file = file or {}
    asked = dict(flatten("settings", {**file, **flags}))
    name = asked.get("init_from")
    if name is None or (is_resolved(file) and file.get("init_hash") and "init_from" not in flags):
        return resolve(flags, file, file_name, strengths)
    recorded = _recorded_layers(folder, str(name)) if folder is not None and folder.exists else []
    if recorded:
        return resolve(flags, file, file_name, strengths, recorded)
    weights = read_initial_weights(str(name))
    own = weights.settings.arch
    if asked.get("arch", own) != own:
        raise UsageError(
            f"--init-from {name} holds networks of {own}, not of {asked['arch']}; take --arch {own}, or "
            "other weights"
        )
    layers = _layers(weights, asked)
    spec = resolve(flags, file, file_name, strengths, layers)
    goes_on = _has_same_data(weights, asked) and _has_same_networks(weights.settings, spec.settings)
    shares = _shares_of_length(spec.settings, goes_on)
    layers += [(f"{ORIGIN}: of the length of the run", shares)]
    if spec.settings.image_size != weights.settings.image_size and "width" not in asked:
        width, size = _best_width(spec.settings, weights), spec.settings.image_size or (0, 0)
        layers += [(f"{ORIGIN} {name}, at {size[0]}x{size[1]}", {"width": width})]
    return resolve(flags, file, file_name, strengths, layers)


def _layers(weights: InitialWeights, asked: SettingValues) -> list[Layer]:
    """The settings that come with weights, by their source in words."""
    own = weights.settings
    values: dict[str, Any] = {name: getattr(own, name) for name in NETWORK}
    values |= {name: getattr(own, name) for name in ("loss", "data", "plugin")}
    values |= network_options(own)
    if isinstance(weights.ema, GrowingGenerator) and own.image_size:  # it has grown so far
        stage = weights.ema.stage
        values["arch.initial_side"] = max(own.image_size) >> (stage.levels - int(stage.now))
    if _has_same_data(weights, asked):
        values["conditional"] = own.conditional
    if asked.get("loss") in (None, own.loss):
        values |= {"critic_norm": own.critic_norm, "minibatch_statistic": own.minibatch_statistic}
    values = {name: value for name, value in values.items() if value not in (None, "", ())}
    origin = f"{ORIGIN} {weights.name}"
    tuning = {"lr_warmup_kimg": WARMUP_KIMG, "ema.ramp_up": None}
    return [(f"{ORIGIN}: usual for fine-tuning", tuning), (origin, {**values, "init_hash": weights.hash})]


def _has_same_data(weights: InitialWeights, asked: SettingValues) -> bool:
    """Whether a run is to have the data that weights were trained on."""
    own = weights.settings.data
    return absolute_spec(asked.get("data") or own or "-") == own


def _has_same_networks(own: Settings, other: Settings) -> bool:
    """Whether networks have the same layers, so that none of them is new."""
    are_equal = all(getattr(own, name) == getattr(other, name) for name in NETWORK)
    return are_equal and network_options(own) == network_options(other)


def _shares_of_length(settings: Settings, goes_on: bool) -> dict[str, float]:
    """The warm-up and the half-lives of EMAs, where they would take too much of a short run.

    A half-life that a preset lets rise from 0 is a number at once: the EMA would forget what it begins as.

    Args:
        goes_on: whether the weights come from the same data and networks. Then the EMA is as slow as ever,
            with nothing to forget.
    """
    kimg = planned_images(settings, [settings.batch_size]) / 1000
    of_ema = math.inf if goes_on else EMA_SHARE
    most = {"lr_warmup_kimg": WARMUP_SHARE, "ema_kimg": of_ema, "critic_ema_kimg": of_ema}
    moving = {key for key, *_ in settings.schedule}
    found = {name: min(getattr(settings, name), share * kimg) for name, share in most.items()}
    return {name: value for name, value in found.items() if value < getattr(settings, name) or name in moving}


def _recorded_layers(folder: RunFolder, name: str) -> list[Layer]:
    """The settings that came with the weights which a run in this folder began from; none for others."""
    try:
        entries = parse_json(read_regular_file(folder.config_file, MOST_CONFIG_BYTES))["settings"]
        if entries["init_from"]["value"] != name:
            return []
        layers: dict[str, dict[str, Any]] = {}
        for key, entry in entries.items():
            if entry["from"].startswith(ORIGIN):
                layers.setdefault(entry["from"], {})[key] = entry["value"]
        return list(layers.items())
    except (OSError, RunError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _best_width(settings: Settings, weights: InitialWeights) -> int:
    """The width at which most weights fit networks of another image size.

    It is that of the weights, or changed by as much as the image size, or by its inverse.
    """
    sides = [max(each.image_size or (1,)) for each in (settings, weights.settings)]
    width = weights.settings.width
    scaled = {width * sides[0] // sides[1], width * sides[1] // sides[0]} - {0}
    widths = [width, *sorted(scaled - {width})]
    return max(widths, key=lambda each: _count_taken(replace(settings, width=each), weights))


def _count_taken(settings: Settings, weights: InitialWeights) -> int:
    """Counts the weights that networks with these settings would take."""
    with torch.device("meta"):
        generator, critic = build_networks(settings)
    count = 0
    for role, network in zip(ROLES, (generator, critic), strict=True):
        other = weights.network(role)
        if other is not None:
            match, own = match_networks(settings, role, network, other), network.state_dict()
            count += sum(own[name].numel() for name in match.weights)
    return count


def match_networks(
    settings: Settings, role: Role, network: torch.nn.Module, other: torch.nn.Module
) -> LayerMatch:
    """Matches the layers of a run's network with those of another network of its architecture."""
    lists = registry.load("architecture", settings.arch).counted_from_end
    own = {path.partition(".")[2] for path in lists if path.partition(".")[0] == role}
    return match_layers(network, other, own)
