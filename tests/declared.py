"""Helpers of the tests of options: what a component declares, in short words, and that it stays."""

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

from experiments.core.options import options_type

ENDS = {"at_least": "[{:g}", "above": "({:g}", "at_most": "{:g}]", "below": "{:g})"}


def declared(kind: str, name: str) -> dict[str, tuple[Any, ...]]:
    """The options of a component: default and interval ("[0, 1)"), and whether networks or runs know them.

    The words after the interval are `shapes_network` and `is_schedulable`, where these hold.
    """
    found = {}
    for each in fields(options_type(kind, name) or type(None)):
        low, high = (
            next(
                (ENDS[word].format(each.metadata[word]) for word in words if word in each.metadata), open_end
            )
            for words, open_end in ((("at_least", "above"), "(-∞"), (("at_most", "below"), "∞)"))
        )
        flags = [word for word in ("shapes_network", "is_schedulable") if each.metadata.get(word)]
        found[each.name] = (each.default, f"{low}, {high}", *flags)
    return found


def check_records_are_frozen(room: ModuleType) -> None:
    """Fails for a dataclass in a room whose instances could be changed."""
    found = 0
    for info in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        if not info.name.endswith("__main__"):
            for value in vars(importlib.import_module(info.name)).values():
                if inspect.isclass(value) and is_dataclass(value):
                    assert value.__dataclass_params__.frozen, value
                    found += 1
    assert found > 3
