"""Options of metrics and extractors: a frozen dataclass that each declares as its `options_type`.

Metadata of a field: `help`, a line for lists; and bounds, `at_least`, `above`, `below` and `at_most` for
numbers, `choices` for words.
"""

from dataclasses import fields
from typing import Any


def changed_options(options: Any) -> dict[str, Any]:
    """Options that differ from their defaults, as JSON knows values; empty for None.

    Args:
        options: an instance of a dataclass whose fields have defaults.

    >>> from metrics.core.options import changed_options
    >>> from metrics.kid import KernelDistanceOptions
    >>> changed_options(KernelDistanceOptions(subset_size=50))
    {'subset_size': 50}
    """
    if options is None:
        return {}
    values = {each.name: (getattr(options, each.name), each.default) for each in fields(options)}
    return {name: _plain(value) for name, (value, default) in values.items() if value != default}


def _plain(value: object) -> Any:
    return [*value] if isinstance(value, tuple) else value
