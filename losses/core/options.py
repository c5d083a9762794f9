"""Options of components, declared as frozen dataclasses of typed fields with bounds and help."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class NoOptions:
    """The options of a component that has none."""


def option(default: Any, help: str, **bounds: Any) -> Any:
    """Declares a field of a component's options, with help and bounds.

    Args:
        default: its value where nobody sets it.
        help: one line for lists, beginning with the thing or a verb.
        bounds: `at_least`, `above`, `below`, `at_most` for numbers, `choices` for words; and
            `shapes_network=True` where networks with another value are other networks, so that an export
            has to name it; and `is_schedulable=True` where its component reads it from `self.options`
            whenever it trains (an optimizer: from its parameter groups), so that this number, a float, may
            move over a run. The EMA and exports do not follow. `reader` is a function that reads and checks a
            value which its type does not describe, and raises ValueError.
    """
    return field(default=default, metadata={"help": help, **bounds})
