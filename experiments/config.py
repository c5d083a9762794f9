"""From flags, files and recipes to one resolved config, every value with where it came from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from experiments import catalogue
from experiments.data import Access, Source
from experiments.errors import UsageError, usable
from experiments.settings import FIELDS, Settings, flag, read_value

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


def resolve(flags: Mapping[str, Any], file: Mapping[str, Any] | None = None, file_name: str = "") -> Config:
    """Later wins: defaults < loss < architecture < preset < data < config file < flags.

    Args:
        flags: setting name → value, as given on the command line.
        file: the same from a config file (`read_config`).
        file_name: that file's name, to say where values came from.

    Raises UsageError for values that cannot be, alone or together.
    """
    file = file or {}
    chosen = Layers()
    chosen.put("default", {name: f.default for name, f in FIELDS.items()})
    asked = {**file, **flags}
    for path in asked.get("plugin", ()):
        catalogue.add_plugin(path)
    architecture = catalogue.load("architecture", asked.get("arch", chosen.values["arch"]))
    named = {
        "loss": asked.get("loss") or architecture.default_loss,
        "data": absolute_spec(asked.get("data") or architecture.default_data),
    }
    chosen.put(f"architecture {asked.get('arch', chosen.values['arch'])}", named)
    recipe = catalogue.load_recipe(named["loss"])
    source = open_source(
        named["data"],
        asked.get("data_root"),
        asked.get("download", False),
        asked.get("skip_bad", False),
    )
    device = resolve_device(asked.get("device", "auto"))
    preset = asked.get("preset", "auto")
    if preset == "auto":
        preset = "laptop" if device == "cpu" else "paper"
    layers = [(f"loss {named['loss']}", d) for d in recipe.settings]
    layers += [(chosen.sources["loss"], d) for d in architecture.settings]
    for with_preset in (False, True):
        for origin, entry in layers:
            matches = entry.hold(preset=preset, data=source.kind, loss=named["loss"])
            if matches and (entry.preset is not None) == with_preset:
                chosen.put(f"preset {preset} of {origin}" if with_preset else origin, entry.values)
    native = usable(source.native)
    if source.kind == "images":
        shape = {"image_size": native.size, "channels": native.channels or 3}
        chosen.put(f"data {named['data']}", {k: v for k, v in shape.items() if v is not None})
    chosen.put("automatic", {"preset": preset, "device": device})
    chosen.put(f"config {file_name}", {k: v for k, v in file.items() if v != "auto"})
    chosen.put("flag", {k: v for k, v in flags.items() if v != "auto"})
    chosen.values["data"] = named["data"]
    _derive(chosen, source.kind, asked)
    if source.kind not in architecture.data:
        raise UsageError(
            f"architecture {chosen.values['arch']} makes {' and '.join(architecture.data)}, "
            f"data {named['data']} is {source.kind}; take another of the two"
        )
    return Config(Settings(**chosen.values), chosen.sources)


class Layers:
    """Values and their sources, laid one over the other."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def put(self, origin: str, values: Mapping[str, Any]) -> None:
        if values.get("steps") is not None and values.get("kimg") is None:
            values = {**values, "kimg": None}
        elif values.get("kimg") is not None and values.get("steps") is None:
            values = {**values, "steps": None}
        for name, value in values.items():
            if name not in FIELDS:
                raise unknown_setting(origin, name)
            try:
                self.values[name] = read_value(name, value) if value not in ("", ()) else value
            except (ValueError, TypeError) as error:
                raise UsageError(f"{origin}: {name}: {error}") from error
            self.sources[name] = origin


def _derive(chosen: Layers, kind: str, asked: Mapping[str, Any]) -> None:
    """Settles what depends on other values, and refuses what has no meaning with them."""
    values = chosen.values

    def without_meaning(names: tuple[str, ...], reason: str) -> None:
        for name in names:
            if asked.get(name) is not None:
                raise UsageError(f"{flag(name)} has no meaning {reason}")
        chosen.put(f"no meaning {reason}", dict.fromkeys(names))

    if values["steps"] is not None and values["kimg"] is not None:
        raise UsageError("--steps and --kimg exclude each other; give one")
    if kind == "points":
        without_meaning(("image_size", "channels", "fit"), f"for points ({values['data']})")
    elif values["fit"] is None:
        chosen.put("default of images", {"fit": "auto"})
    if values["optimizer"] != "adam":
        without_meaning(("betas",), f"for {values['optimizer']}")
    elif values["betas"] is None:
        chosen.put("default of adam", {"betas": (0.9, 0.999)})
    if not values["penalty"]:
        without_meaning(
            ("penalty_norm", "penalty_weight", "penalty_every"), "without a gradient penalty; add --penalty"
        )
    else:
        usual = {"penalty_norm": "one", "penalty_weight": 10.0, "penalty_every": 1}
        chosen.put("default of penalties", {k: v for k, v in usual.items() if values[k] is None})
        if asked.get("critic_norm") is None:
            chosen.put("a per-sample penalty", {"critic_norm": "none"})
        elif values["critic_norm"] == "batch":
            raise UsageError(
                "--critic-norm batch mixes the samples whose gradients the penalty holds one by one; "
                "take layer, instance or none"
            )


def absolute_spec(spec: str) -> str:
    """A data spec whose argument is a path that exists is kept absolute, so that a run goes on anywhere."""
    name, colon, argument = spec.partition(":")
    return (
        f"{name}:{Path(argument).absolute()}"
        if argument and Path(argument).exists()
        else name + colon + argument
    )


def open_source(spec: str, root: str | None = None, download: bool = False, skip_bad: bool = False) -> Source:
    """The source behind a data spec `NAME` or `NAME:ARGUMENT`."""
    name, _, argument = spec.partition(":")
    make = catalogue.load("data", name)
    access = Access(Path(root) if root else None, download, skip_bad)
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
    for name in ("arch", "loss", "data"):
        if flags.get(name, file[name]) != file[name]:
            raise UsageError(
                f"{flag(name)} {flags[name]} with the config of a {file[name]} run, resolved for "
                f"{file[name]}; give the settings that you want to keep as flags"
            )


def unknown_setting(origin: str, name: str) -> UsageError:
    close = get_close_matches(name, FIELDS, n=1)
    return UsageError(
        f"{origin}: unknown setting '{name}'" + (f"; did you mean {close[0]}?" if close else "")
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Lines `name: old → new` for every setting that differs, and has an effect on the numbers."""
    matters = [name for name in new if not FIELDS[name].metadata["changes_nothing"]]
    return [f"{name}: {old.get(name)} → {new[name]}" for name in matters if old.get(name) != new[name]]
