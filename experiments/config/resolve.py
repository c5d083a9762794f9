"""Resolves flags, files and recipes into the specification of one run, every value with its source."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config.components import derive_options
from experiments.config.precedence import Layer, Request, flatten, order_layers, stack_layers
from experiments.config.rules import class_count, derive_settings, derive_task
from experiments.core import registry
from experiments.core.device import resolve_device
from experiments.core.errors import UsageError, usage_errors
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.settings import Settings
from experiments.core.trusted_plugins import add_named_plugins, add_recorded_plugins
from experiments.core.value_readers import file_paths
from experiments.data.core.dataset import DomainSource, Native
from experiments.data.core.sources import absolute_spec, data_access_from, open_source
from experiments.trackers.core.several import check_trackers
from gans.core.architecture import Architecture


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
    request = _request(asked)
    source, native = request.source, _native(request)
    layers = order_layers(request, native, initial, (f"config {file_name}", file), flags)
    size = stack_layers(request, layers, None).values["image_size"] if source.kind == "images" else None
    stack = stack_layers(request, layers, max(size) if size else None)
    if strengths:
        stack.put("flag", {"regularizers": _adjust_regularizers(stack.values["regularizers"], strengths)})
    stack.apply_rules()
    stack.put(*class_count(stack.values, source))
    derive_task(stack, request.architecture, source, flags)
    derive_settings(stack, source.kind, asked, flags)
    if source.kind not in request.architecture.data:
        raise UsageError(
            f"architecture {request.arch} makes {' and '.join(request.architecture.data)}, "
            f"data {request.data} is {source.kind}; take another of the two"
        )
    options = derive_options(stack, flags)
    check_trackers(stack.values["track"])
    return RunSpec(Settings(**stack.values, options=options), stack.sources)


def _request(asked: SettingValues) -> Request:
    """The architecture, loss, data, device and preset that are asked for, or their defaults."""
    arch = _name(asked.get("arch")) or Settings.arch
    architecture: Architecture = registry.load("architecture", arch)
    loss = _name(asked.get("loss")) or architecture.default_loss
    registry.load_recipe(loss)
    data = absolute_spec(_name(asked.get("data")) or architecture.default_data)
    source = open_source(data, data_access_from(_keys(asked)))
    device = resolve_device(asked.get("device", "auto"))
    preset = asked.get("preset", "auto")
    if preset == "auto":
        preset = "laptop" if device == "cpu" else "paper"
    return Request(architecture, arch, loss, data, source, device, preset)


def _keys(asked: SettingValues) -> SettingValues:
    """Settings by name and options by key, as far as they are needed to find the data."""
    return dict(flatten("settings", {k: v for k, v in asked.items() if v != "auto"}))


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


def _adjust_regularizers(
    present: Iterable[tuple[str, float]], strengths: Mapping[str, float]
) -> dict[str, float]:
    """Adds regularizers to those present; a strength of 0 takes one away."""
    return {name: strength for name, strength in {**dict(present), **strengths}.items() if strength != 0}
