"""From flags, files and recipes to one resolved config, every value with where it came from."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from experiments import catalogue
from experiments.data import USUAL, Access, DomainSource, Source
from experiments.errors import UsageError, usable
from experiments.settings import FIELDS, Settings, flag, read_value
from experiments.trackers._several import check_trackers
from gans.core.architecture import Architecture
from losses.recipe import Rule

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
    translates = architecture.task in ("pairs", "domains")
    if translates and not isinstance(source, DomainSource):
        raise UsageError(
            f"architecture {arch} translates between two domains, which data {data} has not; take "
            "shapes-paired, shapes-styles, or folder:PATH with A/ and B/"
        )
    native = usable(
        source.native_domains if isinstance(source, DomainSource) and translates else source.native
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
    chosen.put(*_told_classes(chosen.values, source))
    _derive_task(chosen, architecture, source, flags)
    _derive(chosen, source.kind, asked, flags)
    if source.kind not in architecture.data:
        raise UsageError(
            f"architecture {arch} makes {' and '.join(architecture.data)}, "
            f"data {data} is {source.kind}; take another of the two"
        )
    check_trackers(chosen.values["track"])
    return Config(Settings(**chosen.values), chosen.sources)


def _told_classes(values: Mapping[str, Any], source: Source) -> tuple[str, dict[str, int | None]]:
    """How many classes both players are told, and where the number comes from."""
    if not values["conditional"]:
        return "without --conditional", {"classes": None}
    names = usable(source.class_names)
    if not names:
        raise UsageError(
            f"--conditional: data {values['data']} has no labels; leave it out, or take data with classes "
            "(a folder with one subfolder for each, shapes, cifar10)"
        )
    return f"data {values['data']}", {"classes": len(names)}


def _adjusted(present: Iterable[tuple[str, float]], strengths: Mapping[str, float]) -> dict[str, float]:
    """Regularizers with further ones; a strength of 0 takes one away."""
    return {name: strength for name, strength in {**dict(present), **strengths}.items() if strength != 0}


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
                is_read = value in ("", ()) or isinstance(value, Rule)  # a rule waits for all layers
                self.values[name] = value if is_read else read_value(name, value)
            except (ValueError, TypeError) as error:
                raise UsageError(f"{origin}: {name}: {error}") from error
            self.sources[name] = origin

    def follow_rules(self) -> None:
        """Puts their values in the place of rules that no later layer replaced."""
        height, width = self.values["image_size"] or (1, 1)  # a point is as one pixel
        pixels, batch_size = height * width, self.values["batch_size"]
        for name, rule in list(self.values.items()):
            if isinstance(rule, Rule):
                self.put(f"{self.sources[name]}: {rule.words}", {name: rule.value(pixels, batch_size)})


def _derive(chosen: Layers, kind: str, asked: Mapping[str, Any], flags: Mapping[str, Any]) -> None:
    """Settles what depends on other values, and refuses what has no meaning with them.

    A run's own config holds every value. Those that flags make meaningless fall away; only what a flag asks
    for in vain is refused.
    """
    values = chosen.values

    def without_meaning(names: tuple[str, ...], reason: str) -> None:
        for name in names:
            if flags.get(name) is not None:
                raise UsageError(f"{flag(name)} has no meaning {reason}")
        chosen.put(f"no meaning {reason}", dict.fromkeys(names))

    if values["steps"] is not None and values["kimg"] is not None:
        raise UsageError("--steps and --kimg exclude each other; give one")
    if kind == "points":
        without_meaning(("image_size", "channels", "fit"), f"for points ({values['data']})")
        if flags.get("augment"):
            raise UsageError(f"--augment has no meaning for points ({values['data']})")
    elif values["fit"] is None:
        chosen.put("default of images", {"fit": "auto"})
    if values["optimizer"] != "adam":
        without_meaning(("betas",), f"for {values['optimizer']}")
    elif values["betas"] is None:
        chosen.put("default of adam", {"betas": (0.9, 0.999)})
    if values["lr_schedule"] == "constant":
        without_meaning(("lr_decay_from",), "for constant rates; add --lr-schedule")
    elif values["lr_decay_from"] is None:
        chosen.put("default of schedules", {"lr_decay_from": 0.0})
    if flags.get("ttur") is not None and flags.get("lr_critic") is not None:
        raise UsageError("--ttur and --lr-critic exclude each other: both say the critic's rate")
    if flags.get("lr_critic") is not None:
        chosen.put("--lr-critic", {"ttur": None})
    elif values["ttur"] is not None:
        chosen.put("ttur", {"lr_critic": values["ttur"] * values["lr_generator"]})
    if values["evaluate_kimg"] is None:
        without_meaning(("extractor", "best_metric"), "without evaluations; add --evaluate-kimg")
        for name in ("evaluate_metrics", "evaluate_samples"):
            if flags.get(name) is not None:
                raise UsageError(f"{flag(name)} has no meaning without evaluations; add --evaluate-kimg")
    for name in catalogue.metric_names(values["evaluate_metrics"]):
        catalogue.require("metric", name)
    if values["extractor"] is not None:
        catalogue.require("extractor", values["extractor"].partition(":")[0])
    _derive_penalty(chosen, asked, flags, without_meaning)


def _derive_task(
    chosen: Layers, architecture: Architecture, source: Source, flags: Mapping[str, Any]
) -> None:
    """Settles what depends on what a generator starts from, and refuses what has no meaning there."""
    arch, values = chosen.values["arch"], chosen.values
    if architecture.task != "noise":
        for name in ("z_dim", "conditional"):
            if flags.get(name):
                raise UsageError(f"{flag(name)} has no meaning for {arch}, which starts from images")
        chosen.put(f"no meaning for {arch}", {"z_dim": None, "conditional": False, "classes": None})
    elif values["z_dim"] is None:
        chosen.put("default of latents", {"z_dim": 100})
    if architecture.task == "pairs" and "jitter" in dict(values["augment"]):
        raise UsageError(f"--augment jitter has no meaning for {arch}: partners must change alike")
    groups = usable(source.attribute_groups) if architecture.task == "attributes" else ()
    columns = tuple(column for group in groups for column in group.columns)
    chosen.put(f"data {values['data']}" if columns else f"no meaning for {arch}", {"attributes": columns})
    if architecture.task == "attributes" and not columns:
        raise UsageError(
            f"architecture {arch} changes attributes, of which data {values['data']} has none; take "
            "shapes-attributes, or folder:PATH with an attributes.csv or a folder for each class"
        )
    own = next(
        (dict(d.values["term_weights"]) for d in architecture.settings if "term_weights" in d.values), {}
    )
    if unknown := [name for name, _ in values["term_weights"] if name not in own]:
        known = f"has {', '.join(own)}" if own else "has none"
        raise UsageError(f"--term-weights {unknown[0]}: architecture {arch} {known}")
    if negative := [name for name, weight in values["term_weights"] if weight < 0]:
        raise UsageError(f"--term-weights {negative[0]}: weights must be 0 or more")
    chosen.values["term_weights"] = read_value("term_weights", {**own, **dict(values["term_weights"])})


def _derive_penalty(
    chosen: Layers, asked: Mapping[str, Any], flags: Mapping[str, Any], without_meaning: Callable[..., None]
) -> None:
    usual = {"penalty_norm": "one", "penalty_weight": 10.0, "penalty_every": 1, "penalty_anneal": 1.0}
    if not chosen.values["penalty"]:
        without_meaning(tuple(usual), "without a gradient penalty; add --penalty")
        return
    chosen.put("default of penalties", {k: v for k, v in usual.items() if chosen.values[k] is None})
    norm_is_older = "penalty" in flags and "critic_norm" not in flags  # from the config of another run
    if asked.get("critic_norm") is None or (norm_is_older and asked["critic_norm"] == "batch"):
        chosen.put("a per-sample penalty", {"critic_norm": "none"})
    elif chosen.values["critic_norm"] == "batch":
        raise UsageError(
            "--critic-norm batch mixes the samples whose gradients the penalty holds one by one; "
            "take layer, instance, spectral or none"
        )


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


def unknown_setting(origin: str, name: str) -> UsageError:
    close = get_close_matches(name, FIELDS, n=1)
    return UsageError(
        f"{origin}: unknown setting '{name}'" + (f"; did you mean {close[0]}?" if close else "")
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Lines `name: old → new` for every setting that differs, and has an effect on the numbers."""

    def then(name: str) -> Any:  # an older version knew fewer settings
        return old.get(name, FIELDS[name].default)

    matters = [name for name in new if not FIELDS[name].metadata["changes_nothing"]]
    return [f"{name}: {then(name)} → {new[name]}" for name in matters if then(name) != new[name]]
