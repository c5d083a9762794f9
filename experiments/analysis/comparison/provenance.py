"""Provenance of a report: how each score was made, and on which versions and machines."""

from collections.abc import Mapping, Sequence

from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.terminal_table import format_value
from experiments.core.named_values import JsonObject

NAMES = {"n": "samples / real ones"}  # of parts whose keys are no words
NOT_PROVENANCE = ("value", "ranges", "standard_error")  # in the record of a score


def provenance_table(
    records: Sequence[Record], compared: str
) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Names of the evaluations, the compared one first, and rows of the parts of their provenance.

    Args:
        compared: name of the score that is compared; may be empty.
    """
    entries: dict[str, list[JsonObject]] = {}
    for record in records:
        last: dict[str, JsonObject] = {}
        for _, scores in record.evaluations:
            last |= scores
        for key, entry in last.items():
            entries.setdefault(key, []).append(entry)
    names = sorted(entries, key=lambda name: not (compared == name or compared.startswith(f"{name}/")))
    parts = dict.fromkeys(
        part
        for own in entries.values()
        for entry in own
        for part, value in entry.items()
        if part not in NOT_PROVENANCE and not isinstance(value, float) and value not in (None, {}, [])
    )
    rows = [
        (NAMES.get(part, part.replace("_", " ")), [_values(entries[name], part) for name in names])
        for part in parts
    ]
    return names, rows


def _values(entries: Sequence[JsonObject], part: str) -> str:
    """Different values of a part of these records, separated by commas."""
    values = (entry.get(part) for entry in entries)
    return ", ".join(dict.fromkeys(_plain(value) for value in values)) or "–"


def _plain(value: object) -> str:
    """Formats a value of a record, options by their names."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {format_value(each)}" for name, each in value.items()) or "–"
    return format_value(value)


def environment_rows(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Versions and machines of the runs: what, and its values."""
    keys = dict.fromkeys(key for record in records for key in record.environment)
    known = [record.environment for record in records if record.environment]
    return [(key, ", ".join(dict.fromkeys(format_value(each.get(key)) for each in known))) for key in keys]
