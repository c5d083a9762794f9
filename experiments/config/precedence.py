"""Precedence of the sources of settings: later ones over earlier ones, each value with its source.

default < loss < architecture < presets of both < data < automatic < initial weights < config file < flag
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.options import canonical_key
from experiments.core.settings import FIELDS, read_setting
from experiments.core.short_flags import SHORT_FLAGS
from experiments.core.synonyms import similar_settings
from losses.recipe import Defaults, Rule

if TYPE_CHECKING:  # commands that only read names of settings import no network
    from experiments.data.core.dataset import Native, Source
    from gans.core.architecture import Architecture

Layer = tuple[str, SettingValues]  # the source of values in words, and the values
PAIRS = ("augment", "regularizers")  # settings that are mappings themselves
AUTOMATIC = ("preset", "device", "fit", "track")  # settings that are "auto" as long as nobody sets them


class SettingsStack:
    """A stack of values of settings and options, later ones over earlier ones, with their sources.

    Attributes:
        values: values of settings by name, read.
        options: options of components by key, as given: they are read when all components are known.
        sources: sources of both, in words.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def put(self, origin: str, values: SettingValues) -> None:
        """Puts values over those that are there. Raises UsageError for an unknown setting or a bad value."""
        if values.get("steps") is not None and values.get("kimg") is None:
            values = {**values, "kimg": None}
        elif values.get("kimg") is not None and values.get("steps") is None:
            values = {**values, "steps": None}
        # A strength by its own key comes after `regularizers`, wherever it stands.
        for name, value in sorted(flatten(origin, values), key=lambda each: bool(regularizer_of(each[0]))):
            if regularizer := regularizer_of(name):
                name, value = "regularizers", {**dict(self.values["regularizers"]), regularizer: value}
                self.values[name] = tuple(each for each in _read(origin, name, value) if each[1] != 0)
            elif "." in name:
                self.options[name] = value
            elif value in ("", ()) or isinstance(value, Rule):  # a rule waits for all layers
                self.values[name] = value
            else:
                self.values[name] = _read(origin, name, value)
            self.sources[name] = origin

    def apply_rules(self) -> None:
        """Replaces every rule still present by its value for this image size and batch size."""
        size = self.values["image_size"] or (1, 1)  # a point is as one pixel
        found = {**self.values, **self.options}
        rules = {name: value for name, value in found.items() if isinstance(value, Rule)}
        for name in sorted(rules, key="batch_size".__ne__):  # which the others ask for
            batch_size = 0 if name == "batch_size" else self.values["batch_size"]
            value, words = rules[name].apply(size, batch_size)
            self.put(f"{self.sources[name]}: {words}", {name: value})


@dataclass(frozen=True)
class Request:
    """The parts of a run that decide which recipes apply.

    Attributes:
        recorded: names of settings and keys of options in the run's own config; None for a new run. Of a
            preset nothing else applies: the run was made before the preset had it.
    """

    architecture: "Architecture"
    arch: str
    loss: str
    data: str
    source: "Source"
    device: str
    preset: str
    recorded: frozenset[str] | None = None

    @property
    def recipes(self) -> list[tuple[str, Defaults]]:
        """Defaults by precedence: those of the loss, then those of the architecture and of its presets."""
        settings = registry.load_recipe(self.loss).settings
        found = [(f"loss {self.loss}", each) for each in settings]
        own = [*self.architecture.settings]
        if self.preset in self.architecture.presets:
            for each in self.architecture.presets[self.preset].settings:
                kept = {
                    name: value
                    for name, value in each.values.items()
                    if self.recorded is None or name in self.recorded
                }
                own.append(replace(each, preset=self.preset, values=kept))
        return found + [(f"architecture {self.arch}", each) for each in own]


def order_layers(
    request: Request, native: "Native", initial: Iterable[Layer], config: Layer, flags: SettingValues
) -> list[Layer]:
    """Orders what comes after the recipes.

    These are the data's own shape, what is automatic, what comes with initial weights, config file, flags.
    """
    images = request.source.kind == "images"
    shape = {"image_size": native.size, "channels": native.channels or 3} if images else {}
    origin, file = config
    return [
        (f"data {request.data}", {name: value for name, value in shape.items() if value is not None}),
        ("automatic", {"preset": request.preset, "device": request.device}),
        *initial,
        (origin, without_automatic(file)),
        ("flag", without_automatic(flags)),
    ]


def without_automatic(values: SettingValues) -> SettingValues:
    """Leaves out settings that are "auto", as they are anyway; options may have that value of their own."""
    return {name: value for name, value in values.items() if value != "auto" or name not in AUTOMATIC}


def stack_layers(request: Request, layers: Iterable[Layer], side: int | None) -> SettingsStack:
    """Lays defaults, recipes and further layers over each other.

    Args:
        layers: the further ones, in their order.
        side: pixels on the longer side of the images, where a recipe asks for them.
    """
    stack = SettingsStack()
    stack.put("default", {name: f.default for name, f in FIELDS.items()})
    own = {"loss": request.loss, "data": request.data, "critic_norm": request.architecture.critic_norm}
    stack.put(f"architecture {request.arch}", own)
    kind, preset = request.source.kind, request.preset
    for with_preset in (False, True):
        for origin, entry in request.recipes:
            holds = entry.hold(preset=preset, data=kind, loss=request.loss, side=side)
            if holds and (entry.preset is not None) == with_preset:
                named = f"preset {preset} of {origin}" if with_preset else origin
                stack.put(f"{named}: {entry.row}" if entry.row else named, entry.values)
    for origin, values in layers:
        stack.put(origin, values)
    stack.values["data"] = request.data
    return stack


def flatten(origin: str, values: SettingValues) -> Iterator[tuple[str, Any]]:
    """Flattens nested mappings to settings by name and options by key, and expands short flags.

    `{"arch": {"name": "stylegan2", "mapping_layers": 2}}` is an example; short names become the keys that
    they stand for.

    Raises UsageError for an unknown setting.
    """
    for name, value in values.items():
        if name in SHORT_FLAGS:
            read = None if value is None else _read(origin, name, value)
            if name == "term_weights":
                yield from ((f"arch.{term}_weight", weight) for term, weight in read or ())
            else:
                yield SHORT_FLAGS[name].key, read
        elif "." in name:
            yield canonical_key(name), value
        elif isinstance(value, Mapping) and name not in PAIRS:
            if "name" in value and name not in FIELDS:
                raise unknown_setting_error(origin, name)
            for key, own in value.items():
                yield (name, own) if key == "name" else (canonical_key(f"{name}.{key}"), own)
        elif name in FIELDS:
            yield name, value
        else:
            raise unknown_setting_error(origin, name)


def regularizer_of(key: str) -> str:
    """The regularizer whose strength a key such as `lecam.weight` sets; empty for other keys."""
    prefix, _, name = key.partition(".")
    return prefix if name == "weight" and prefix in registry.names("regularizer") else ""


def _read(origin: str, name: str, value: object) -> Any:
    try:
        return read_setting(name, value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{origin}: {name}: {error}") from error


def unknown_setting_error(origin: str, name: str, known: Collection[str] = ()) -> UsageError:
    """Makes the error for a name that is no setting, with a close match among those known, or all."""
    close = similar_settings(name, known or [*FIELDS, *SHORT_FLAGS])
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return UsageError(f"{origin}: unknown setting '{name}'{hint}")
