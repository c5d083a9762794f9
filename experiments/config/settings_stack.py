"""Stack of settings and options: later values over earlier ones, each with its source (order: resolve.py)."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from experiments.core.errors import UsageError
from experiments.core.options import normal_key
from experiments.core.settings import FIELDS, read_setting
from experiments.core.short_flags import SHORT_FLAGS
from losses.recipe import Rule

PAIRS = ("augment", "regularizers")  # settings that are mappings themselves


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

    def put(self, origin: str, values: Mapping[str, Any]) -> None:
        """Puts values over those that are there. Raises UsageError for an unknown setting or a bad value."""
        if values.get("steps") is not None and values.get("kimg") is None:
            values = {**values, "kimg": None}
        elif values.get("kimg") is not None and values.get("steps") is None:
            values = {**values, "steps": None}
        for name, value in flatten(origin, values):
            if "." in name:
                self.options[name] = value
            elif value in ("", ()) or isinstance(value, Rule):  # a rule waits for all layers
                self.values[name] = value
            else:
                self.values[name] = _read(origin, name, value)
            self.sources[name] = origin

    def apply_rules(self) -> None:
        """Replaces rules that no later layer replaced by their values."""
        height, width = self.values["image_size"] or (1, 1)  # a point is as one pixel
        pixels, batch_size = height * width, self.values["batch_size"]
        for name, rule in list(self.values.items()):
            if isinstance(rule, Rule):
                self.put(f"{self.sources[name]}: {rule.words}", {name: rule.value(pixels, batch_size)})


def flatten(origin: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
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
            yield normal_key(name), value
        elif isinstance(value, Mapping) and name not in PAIRS:
            for key, own in value.items():
                yield (name, own) if key == "name" else (normal_key(f"{name}.{key}"), own)
        elif name in FIELDS:
            yield name, value
        else:
            raise unknown_setting_error(origin, name)


def _read(origin: str, name: str, value: Any) -> Any:
    try:
        return read_setting(name, value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{origin}: {name}: {error}") from error


def unknown_setting_error(origin: str, name: str) -> UsageError:
    """Makes the error for a name that is no setting, with a close match."""
    close = get_close_matches(name, [*FIELDS, *SHORT_FLAGS], n=1)
    return UsageError(
        f"{origin}: unknown setting '{name}'" + (f"; did you mean {close[0]}?" if close else "")
    )
