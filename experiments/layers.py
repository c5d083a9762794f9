"""Values of settings and their sources, laid one over the other."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from experiments.errors import UsageError
from experiments.settings import FIELDS, read_value
from losses.recipe import Rule


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
                read = value if is_read else read_value(name, value)
            except (ValueError, TypeError) as error:
                raise UsageError(f"{origin}: {name}: {error}") from error
            if FIELDS[name].metadata["merges"]:
                read = tuple(sorted({**dict(self.values.get(name, ())), **dict(read)}.items()))
            self.values[name], self.sources[name] = read, origin

    def follow_rules(self) -> None:
        """Puts their values in the place of rules that no later layer replaced."""
        height, width = self.values["image_size"] or (1, 1)  # a point is as one pixel
        pixels, batch_size = height * width, self.values["batch_size"]
        for name, rule in list(self.values.items()):
            if isinstance(rule, Rule):
                self.put(f"{self.sources[name]}: {rule.words}", {name: rule.value(pixels, batch_size)})


def unknown_setting(origin: str, name: str) -> UsageError:
    close = get_close_matches(name, FIELDS, n=1)
    return UsageError(
        f"{origin}: unknown setting '{name}'" + (f"; did you mean {close[0]}?" if close else "")
    )
