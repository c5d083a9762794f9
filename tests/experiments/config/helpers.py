"""Helper of the tests of settings: settings and options that flags resolve to."""

from typing import Any

from experiments.config.resolve import resolve


def settings_of(**flags: Any) -> dict[str, Any]:
    """Settings and options that flags resolve to, by name."""
    return resolve(flags).settings.to_dict()
