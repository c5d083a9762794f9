"""Experiments grouped by what differs between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.analysis.comparison.record import Record
from experiments.config.components import affects_results, default_of
from experiments.core.errors import UsageError
from experiments.core.settings import FIELDS


@dataclass(frozen=True)
class Group:
    """Experiments that differ by their seeds alone, or by what the user does not ask for.

    Attributes:
        settings: those that tell it from the others.
        scores: a value for each experiment.
        seeds: theirs, in the same order.
        names: theirs, in the same order.
    """

    settings: Mapping[str, Any]
    scores: tuple[float, ...]
    seeds: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        return ", ".join(str(value) for value in self.settings.values()) or "all"


def settings_that_differ(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Every setting with an effect on the numbers that is not the same everywhere, with its values; the seed
    is none of them."""
    found = {}
    for name in names_that_matter(records):
        if name != "seed":
            values = [_hashable(value_of(record, name)) for record in records]
            if len(set(values)) > 1:
                found[name] = list(dict.fromkeys(values))
    return found


def names_that_matter(records: Sequence[Record]) -> list[str]:
    """The settings, and the options of any of these runs, that have an effect on the numbers."""
    own = [name for name, field in FIELDS.items() if field.metadata["affects_results"]]
    options = {name for record in records for name in record.settings if "." in name}
    return own + [name for name in sorted(options) if affects_results(name)]


def value_of(record: Record, name: str) -> Any:
    """A setting or option of a run; where its version did not have it, the default."""
    if name in record.settings or "." not in name:
        return record.settings.get(name, FIELDS[name].default if name in FIELDS else None)
    return default_of(name, record.settings)


def _hashable(value: Any) -> Any:
    return tuple(_hashable(each) for each in value) if isinstance(value, list) else value


def telling(records: Sequence[Record], given: Sequence[str] = ()) -> list[str]:
    """The first settings that tell all groups apart: a loss brings a penalty and rates of its own, and says
    all of that by itself.

    Args:
        given: settings that tell some apart already.
    """
    names = list(given)
    for name in settings_that_differ(records):
        if len({_key(record, [*names, name]) for record in records}) > len(
            {_key(record, names) for record in records}
        ):
            names.append(name)
    return names[len(given) :]


def _key(record: Record, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(_hashable(value_of(record, name)) for name in names)


def grouped(records: Sequence[Record], by: Sequence[str], scores: Sequence[float]) -> list[Group]:
    """Raises UsageError for two experiments that are the same, of which one says nothing new."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, record in enumerate(records):
        groups.setdefault(_key(record, by), []).append(index)
    found = []
    for key, indices in groups.items():
        seen: dict[Any, str] = {}
        for index in indices:
            record = records[index]
            whole = _key(record, names_that_matter(records))
            if whole in seen:
                raise UsageError(f"{seen[whole]} and {record.name} are the same experiment; give one of them")
            seen[whole] = record.name
        found.append(
            Group(
                dict(zip(by, key, strict=True)),
                tuple(scores[index] for index in indices),
                tuple(int(value_of(records[index], "seed")) for index in indices),
                tuple(records[index].name for index in indices),
            )
        )
    return found
