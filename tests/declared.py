"""Helper of the tests of options: what a component declares, in short words."""

from dataclasses import fields
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
