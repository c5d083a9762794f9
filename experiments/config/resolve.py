"""Resolves flags, files and recipes into the specification of one run, every value with its source."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from experiments.config.components import derive_options, earlier_options
from experiments.config.critic_augmentation import (
    derive_critic_augment,
    derive_shares_of_run,
    refuse_idle_options,
)
from experiments.config.factory import build_networks, growth_of_generator
from experiments.config.files import is_resolved
from experiments.config.precedence import (
    Layer,
    Request,
    SettingsStack,
    flatten,
    order_layers,
    stack_layers,
    without_automatic,
)
from experiments.config.rules import check_class_balance, class_count, derive_settings, derive_task
from experiments.config.run_length import STAGES, check_sizes
from experiments.config.scheduled_values import drop_idle_schedules
from experiments.core import registry
from experiments.core.device import resolve_device
from experiments.core.errors import UsageError, usage_errors
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.settings import Settings
from experiments.core.trusted_plugins import add_named_plugins, add_recorded_plugins
from experiments.core.value_readers import file_paths, finite_number
from experiments.data.core.dataset import DomainSource, Native, Source
from experiments.data.core.picture_options import AUTO, is_found_in_data
from experiments.data.core.sources import absolute_spec, data_access_from, open_source
from experiments.trackers.core.several import check_trackers
from gans.core.architecture import Architecture, Task


@dataclass(frozen=True)
class RunSpec:
    """The resolved specification of one run: every setting with its source.

    Attributes:
        settings: the settings.
        sources: source of every setting and option, in words.
    """

    settings: Settings
    sources: Mapping[str, str]

    def to_json(self) -> JsonObject:
        """Returns every setting by name and option by key, with its value and its source."""
        values = self.settings.to_dict()
        return {name: {"value": value, "from": self.sources[name]} for name, value in values.items()}


def resolve(
    flags: SettingValues,
    file: SettingValues | None = None,
    file_name: str = "",
    strengths: Mapping[str, float] | None = None,
    initial: Sequence[Layer] = (),
) -> RunSpec:
    """Resolves the settings of a run from flags, a config file and recipes.

    Which of them wins stands in precedence.py.

    Args:
        flags: setting name or option key → value, as given on the command line.
        file: settings by name and options by key from a config file (`read_config`).
        file_name: that file's name, to say where values came from.
        strengths: regularizers to add to those that the loss brings, or to take away with a strength of 0.
        initial: what comes with weights to begin from (experiments/runs/initial_settings.py).

    Raises UsageError for values that cannot be, alone or together.
    """
    file = file or {}
    asked = {**file, **flags}
    for _, values in reversed(initial):
        asked = {**values, **asked}
    if "plugin" in flags:
        with usage_errors("--plugin"):
            add_named_plugins(file_paths(flags["plugin"]))
    else:
        add_recorded_plugins(file.get("plugin"), f"config {file_name}")
    if is_resolved(file):
        earlier = earlier_options(file)
        file, asked = {**earlier, **file}, {**earlier, **asked}
    request = _request(asked, "--preset" if "preset" in flags else f"config {file_name}: preset")
    if is_resolved(file):
        request = replace(
            request, recorded=frozenset(name for name, _ in flatten(f"config {file_name}", file))
        )
    source, native = request.source, _native(request)
    layers = order_layers(request, native, initial, (f"config {file_name}", file), flags)
    size = stack_layers(request, layers, None).values["image_size"] if source.kind == "images" else None
    stack = stack_layers(request, layers, max(size) if size else None)
    if strengths:
        stack.put("flag", {"regularizers": adjust_regularizers(stack.values["regularizers"], strengths)})
    stack.apply_rules()
    stack.put(*class_count(stack.values, source))
    derive_task(stack, request.architecture, source, flags)
    check_class_balance(stack.values, request.architecture, source)
    drop_idle_schedules(stack, asked)
    derive_settings(stack, source.kind, asked, flags)
    derive_critic_augment(stack, source.kind, flags)
    if source.kind not in request.architecture.data:
        raise UsageError(
            f"architecture {request.arch} makes {' and '.join(request.architecture.data)}, "
            f"data {request.data} is {source.kind}; take another of the two"
        )
    refuse_idle_options(stack)
    derive_shares_of_run(stack)
    options = _with_found_values(derive_options(stack, flags), stack, source, request.architecture.task)
    check_trackers(stack.values["track"])
    if stack.values["precision"] == "tf32" and not request.device.startswith("cuda"):
        raise UsageError("--precision tf32 is a mode of NVIDIA's GPUs; take --precision fp32")
    spec = RunSpec(Settings(**stack.values, options=options), stack.sources)
    _check_sizes(spec, recorded="" if not is_resolved(file) else f"config {file_name}")
    return spec


def _check_sizes(spec: RunSpec, recorded: str) -> None:
    """Checks that growing networks have the sizes for which batch sizes or rates are asked for.

    Args:
        recorded: source of settings that another run recorded, which are not asked for.
    """
    asked = {
        key
        for key in STAGES
        if spec.settings.options.get(key)
        and spec.sources[key].startswith(("flag", "config"))
        and spec.sources[key] != recorded
    }
    if asked:
        with torch.device("meta"):
            generator, _ = build_networks(spec.settings)
        check_sizes(spec.settings, growth_of_generator(spec.settings, generator), asked)


def _presets_of(arch: str) -> dict[str, str]:
    """One line of every preset of an architecture, by name."""
    architecture: Architecture = registry.load("architecture", arch)
    return architecture.describe_presets()


def _request(asked: SettingValues, preset_from: str) -> Request:
    """The architecture, loss, data, device and preset that are asked for, or their defaults.

    Raises UsageError for what there is not; `preset_from` is where the preset was named.
    """
    arch = _name(asked.get("arch")) or Settings.arch
    architecture: Architecture = registry.load("architecture", arch)
    loss = _name(asked.get("loss")) or architecture.default_loss
    registry.load_recipe(loss)
    data = absolute_spec(_name(asked.get("data")) or architecture.default_data)
    source = open_source(data, data_access_from(_keys(asked)))
    device = resolve_device(asked.get("device", "auto"))
    preset, known = asked.get("preset", "auto"), architecture.describe_presets()
    if preset not in known:
        others = [name for name in registry.names("architecture") if preset in _presets_of(name)]
        hint = f"; it belongs to --arch {' or '.join(others)}" if others else ""
        raise UsageError(f"{preset_from} {preset}: architecture {arch} has {', '.join(known)}{hint}")
    if preset == "auto":
        preset = "laptop" if device == "cpu" else "paper"
    return Request(architecture, arch, loss, data, source, device, preset)


def _keys(asked: SettingValues) -> SettingValues:
    """Settings by name and options by key, as far as they are needed to find the data."""
    return dict(flatten("settings", without_automatic(asked)))


def _name(value: object) -> Any:
    """The name of a component that a file may give together with its options."""
    return value.get("name") if isinstance(value, Mapping) else value


def _native(request: Request) -> Native:
    """The native shape of the data.

    Raises UsageError for data without the two domains that a translator between domains needs.
    """
    source, task = request.source, request.architecture.task
    if task not in ("pairs", "domains"):
        with usage_errors():
            return source.native()
    if not isinstance(source, DomainSource):
        raise UsageError(
            f"architecture {request.arch} translates between two domains, which data {request.data} has not; "
            "take shapes-paired, shapes-styles, or folder:PATH with A/ and B/"
        )
    with usage_errors():
        return source.native_domains(task == "pairs")


def _with_found_values(
    options: SettingValues, stack: SettingsStack, source: Source, task: Task
) -> SettingValues:
    """Replaces options that are left to the data by what was found, so that later commands use the same."""
    own = {key: value for key, value in options.items() if key.startswith("data.")}
    if not any(value == AUTO or is_found_in_data(value) for value in own.values()):
        return options
    with usage_errors():
        found = source.found_options(task == "pairs" if task in ("pairs", "domains") else None)
    values = {key: getattr(found, key.removeprefix("data.")) for key in own}
    for key, value in own.items():
        if value != values[key] and stack.sources[key].startswith(("flag", "config")):
            asked = value if isinstance(value, str) else ",".join(map(str, value))
            stack.sources[key] = f"{stack.sources[key]}: {asked}"
    for name, remark in source.found_option_remarks().items():
        stack.sources[f"data.{name}"] += f", {remark}"
    return {**options, **values}


def split_regularizers(asked: SettingValues) -> tuple[SettingValues, Mapping[str, float]]:
    """Splits the arguments of a call into settings and strengths of regularizers (`lecam=0.3`).

    Those that are None are left out; a regularizer with several options, nested, is no strength.

    Raises UsageError for a strength that is no finite number.
    """
    words = {name.replace("-", "_"): name for name in registry.names("regularizer")}
    found: dict[str, float] = {}
    rest: dict[str, Any] = {}
    for name, value in asked.items():
        if value is None:
            continue
        if name in words and not isinstance(value, Mapping):
            try:
                found[words[name]] = finite_number()(value)
            except ValueError as error:
                raise UsageError(f"{name}: {error}, the strength of a regularizer") from error
        else:
            rest[name] = value
    return rest, found


def adjust_regularizers(
    present: Iterable[tuple[str, float]], strengths: Mapping[str, float]
) -> dict[str, float]:
    """Adds regularizers to those present; a strength of 0 takes one away."""
    return {name: strength for name, strength in {**dict(present), **strengths}.items() if strength != 0}
