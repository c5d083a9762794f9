"""From flags, files and recipes to one resolved config, every value with where it came from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from experiments import catalogue
from experiments.data import USUAL, Access, DomainSource, Source
from experiments.derive import derive, derive_task, told_classes
from experiments.errors import UsageError, usable
from experiments.layers import Layers, unknown_setting
from experiments.settings import FIELDS, Settings, flag, read_value
from experiments.trackers._several import check_trackers

FORMAT = 1


@dataclass(frozen=True)
class Config:
    """Resolved settings.

    Attributes:
        settings: every value.
        sources: for every setting, where its value came from, in words.
    """

    settings: Settings
    sources: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        values = asdict(self.settings)
        return {name: {"value": values[name], "from": self.sources[name]} for name in FIELDS}


def resolve(
    flags: Mapping[str, Any],
    file: Mapping[str, Any] | None = None,
    file_name: str = "",
    strengths: Mapping[str, float] | None = None,
) -> Config:
    """Later wins: defaults < loss < architecture < preset < data < config file < flags.

    Args:
        flags: setting name → value, as given on the command line.
        file: the same from a config file (`read_config`).
        file_name: that file's name, to say where values came from.
        strengths: regularizers to add to those that the loss brings, or to take away with a strength of 0.

    Raises UsageError for values that cannot be, alone or together.
    """
    file = file or {}
    asked = {**file, **flags}
    for path in asked.get("plugin", ()):
        catalogue.add_plugin(path)
    arch = asked.get("arch") or Settings.arch
    architecture = catalogue.load("architecture", arch)
    loss = asked.get("loss") or architecture.default_loss
    recipe = catalogue.load_recipe(loss)
    data = absolute_spec(asked.get("data") or architecture.default_data)
    source = open_source(data, access(asked))
    if architecture.task not in ("pairs", "domains"):
        native = usable(source.native)
    elif isinstance(source, DomainSource):
        native = usable(partial(source.native_domains, architecture.task == "pairs"))
    else:
        raise UsageError(
            f"architecture {arch} translates between two domains, which data {data} has not; take "
            "shapes-paired, shapes-styles, or folder:PATH with A/ and B/"
        )
    shape = {"image_size": native.size, "channels": native.channels or 3} if source.kind == "images" else {}
    device = resolve_device(asked.get("device", "auto"))
    preset = asked.get("preset", "auto")
    if preset == "auto":
        preset = "laptop" if device == "cpu" else "paper"
    brought = [(f"loss {loss}", d) for d in recipe.settings]
    brought += [(f"architecture {arch}", d) for d in architecture.settings]

    def lay(side: int | None) -> Layers:
        """All layers, for images of that many pixels on the longer side."""
        chosen = Layers()
        chosen.put("default", {name: f.default for name, f in FIELDS.items()})
        own = {"loss": loss, "data": data, "critic_norm": architecture.critic_norm}
        chosen.put(f"architecture {arch}", own)
        for with_preset in (False, True):
            for origin, entry in brought:
                if (entry.preset is not None) == with_preset and entry.hold(
                    preset=preset, data=source.kind, loss=loss, side=side
                ):
                    chosen.put(f"preset {preset} of {origin}" if with_preset else origin, entry.values)
        chosen.put(f"data {data}", {name: value for name, value in shape.items() if value is not None})
        chosen.put("automatic", {"preset": preset, "device": device})
        chosen.put(f"config {file_name}", {k: v for k, v in file.items() if v != "auto"})
        chosen.put("flag", {k: v for k, v in flags.items() if v != "auto"})
        chosen.values["data"] = data
        return chosen

    size = lay(None).values["image_size"] if source.kind == "images" else None
    chosen = lay(max(size) if size else None)
    if strengths:
        chosen.put("flag", {"regularizers": _adjusted(chosen.values["regularizers"], strengths)})
    chosen.follow_rules()
    chosen.put(*told_classes(chosen.values, source))
    derive_task(chosen, architecture, source, flags)
    derive(chosen, source.kind, asked, flags)
    if source.kind not in architecture.data:
        raise UsageError(
            f"architecture {arch} makes {' and '.join(architecture.data)}, "
            f"data {data} is {source.kind}; take another of the two"
        )
    check_trackers(chosen.values["track"])
    return Config(Settings(**chosen.values), chosen.sources)


def _adjusted(present: Iterable[tuple[str, float]], strengths: Mapping[str, float]) -> dict[str, float]:
    """Regularizers with further ones; a strength of 0 takes one away."""
    return {name: strength for name, strength in {**dict(present), **strengths}.items() if strength != 0}


def absolute_spec(spec: str) -> str:
    """A data spec whose argument is a path that exists is kept absolute, so that a run goes on anywhere."""
    name, _, argument = spec.partition(":")
    if argument and catalogue.load("data", name).takes_spec:
        return f"{name}:{absolute_spec(argument)}"
    return f"{name}:{Path(argument).absolute()}" if argument and Path(argument).exists() else spec


def access(settings: Mapping[str, Any]) -> Access:
    """What settings say about how data is come by."""
    root = settings.get("data_root")
    switches = {name: settings.get(name, False) for name in ("download", "skip_bad", "stream")}
    return Access(Path(root) if root else None, **switches)


def open_source(spec: str, access: Access = USUAL) -> Source:
    """The source behind a data spec `NAME` or `NAME:ARGUMENT`."""
    name, _, argument = spec.partition(":")
    make = catalogue.load("data", name)
    return usable(lambda: make(argument, access))


def resolve_device(device: str) -> str:
    """The device that "auto" stands for, or the one asked for if this machine has it."""
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        raise UsageError(f"--device {device}: this machine has none that PyTorch can use; take --device cpu")
    return device


def read_config(path: Path) -> dict[str, Any]:
    """Settings from a JSON file: a run's own `config.json`, or a plain object `{"width": 24, …}`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"config {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"config {path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise UsageError(f"config {path}: must be a JSON object of settings")
    if content.get("format", FORMAT) != FORMAT:
        raise UsageError(f"config {path}: format {content['format']} is not {FORMAT}; use a newer gans")
    entries = content.get("settings", {k: v for k, v in content.items() if k != "format"})
    if not isinstance(entries, dict):
        raise UsageError(f"config {path}: its settings must be a JSON object")
    settings = {}
    for name, entry in entries.items():
        if name not in FIELDS:
            raise unknown_setting(f"config {path}", name)
        value = entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        try:
            settings[name] = read_value(name, value)
        except (ValueError, TypeError) as error:
            raise UsageError(f"config {path}: {name}: {error}") from error
    return settings


def refuse_another_recipe(file: Mapping[str, Any], flags: Mapping[str, Any]) -> None:
    """A run's own config holds every setting, resolved for its architecture, loss and data: under another
    of these, it would bring the old one's penalty and rates along in silence."""
    if len(file) < len(FIELDS):
        return
    given = {**flags, "data": absolute_spec(flags["data"])} if "data" in flags else flags
    for name in ("arch", "loss", "data"):
        if given.get(name, file[name]) != file[name]:
            raise UsageError(
                f"{flag(name)} {flags[name]} with the config of a {file[name]} run, resolved for "
                f"{file[name]}; give the settings that you want to keep as flags"
            )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Lines `name: old → new` for every setting that differs, and has an effect on the numbers."""

    def then(name: str) -> Any:  # an older version knew fewer settings
        return old.get(name, FIELDS[name].default)

    matters = [name for name in new if not FIELDS[name].metadata["changes_nothing"]]
    return [f"{name}: {then(name)} → {new[name]}" for name in matters if then(name) != new[name]]
