"""Groups of experiments with the same settings, and the settings that tell groups apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.analysis.comparison.record import Record
from experiments.config.components import affects_results, default_of
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.core.settings import FIELDS


@dataclass(frozen=True)
class FailedRun:
    """Experiment that failed, diverged or collapsed: its name, its seed and the reason."""

    name: str
    seed: int
    reason: str


@dataclass(frozen=True)
class Group:
    """Group of experiments with equal settings, which differ by their seeds or by settings not asked about.

    Attributes:
        settings: the settings that tell this group from the others, with their values.
        scores: a value for each experiment that did not fail, diverge or collapse.
        seeds: the seed of each of these, in the same order.
        names: the name of each of these, in the same order.
        failed_runs: the other experiments.
        kimg: the length of training at which each score was made, in the same order; None where it was not
            recorded.
        further: values of the settings that differ within groups, for each of these in the same order.
    """

    settings: JsonObject
    scores: tuple[float, ...]
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    failed_runs: tuple[FailedRun, ...] = ()
    kimg: tuple[float | None, ...] = ()
    further: tuple[tuple[Any, ...], ...] = ()

    @property
    def outcomes(self) -> tuple[float | None, ...]:
        """A score for each experiment of the group; None for each that failed, diverged or collapsed."""
        return (*self.scores, *(None for _ in self.failed_runs))

    @property
    def scores_by_partner(self) -> dict[tuple[Any, ...], float]:
        """Scores by what a run of another group must share to be its partner: seed, and further settings."""
        further = self.further or ((),) * len(self.seeds)
        keys = [(seed, *own) for seed, own in zip(self.seeds, further, strict=True)]
        found = dict(zip(keys, self.scores, strict=True))
        return {key: found[key] for key in sorted(keys, key=lambda key: (key[0], repr(key[1:])))}

    @property
    def partnered_scores(self) -> list[float]:
        """Scores in the order of their partners' in another group, so that a paired test has its pairs."""
        return list(self.scores_by_partner.values())

    @property
    def label(self) -> str:
        """Values of the group's settings, separated by commas; "all" where no setting differs."""
        return ", ".join(str(value) for value in self.settings.values()) or "all"


def differing_settings(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Settings that affect the results and differ between records, with their values; without the seed."""
    found = {}
    for name in result_affecting_names(records):
        if name != "seed":
            values = [as_hashable(value_of(record, name)) for record in records]
            if len(set(values)) > 1:
                found[name] = list(dict.fromkeys(values))
    return found


def result_affecting_names(records: Sequence[Record]) -> list[str]:
    """Names of all settings and options of these runs that affect the results."""
    own = [name for name, field in FIELDS.items() if field.metadata["affects_results"]]
    options = {name for record in records for name in record.settings if "." in name}
    return own + [name for name in sorted(options) if affects_results(name)]


def value_of(record: Record, name: str) -> Any:
    """Value of a setting or option in a run; the default where the run's version did not have it."""
    if name in record.settings or "." not in name:
        return record.settings.get(name, FIELDS[name].default if name in FIELDS else None)
    return default_of(name, record.settings)


def as_hashable(value: object) -> Any:
    """Turns lists into tuples, also within lists, and objects into their items."""
    if isinstance(value, dict):
        return tuple((name, as_hashable(each)) for name, each in value.items())
    return tuple(as_hashable(each) for each in value) if isinstance(value, list | tuple) else value


def distinguishing_settings(records: Sequence[Record], given: Sequence[str] = ()) -> list[str]:
    """Selects the first settings that tell all groups apart.

    A setting that separates no further groups is left out: a loss brings a penalty and rates of its own,
    and names them all.

    Args:
        given: settings that separate some groups already; they are not returned.
    """
    names = list(given)
    for name in differing_settings(records):
        if len({_key(record, [*names, name]) for record in records}) > len(
            {_key(record, names) for record in records}
        ):
            names.append(name)
    return names[len(given) :]


def _key(record: Record, names: Sequence[str]) -> tuple[Any, ...]:
    """Values of these settings in a record, as a key of its group."""
    return tuple(as_hashable(value_of(record, name)) for name in names)


def repeated_experiments(records: Sequence[Record], others: Sequence[Record]) -> list[Record]:
    """The records that are the same experiment as one of the others: equal settings and seed."""
    names = result_affecting_names([*records, *others])
    known = {_key(other, names) for other in others}
    return [record for record in records if _key(record, names) in known]


def group_experiments(
    records: Sequence[Record],
    by: Sequence[str],
    outcomes: Sequence[float | str],
    kimg: Mapping[str, float | None],
) -> list[Group]:
    """Groups experiments by the values of the settings `by`.

    Args:
        outcomes: for each record, in the same order, its score, or the reason why it failed, diverged or
            collapsed.
        kimg: the length of training at which each score was made, by the name of its record.

    Raises UsageError for two experiments with the same settings and seed, of which one adds no
    information.
    """
    names, groups = result_affecting_names(records), dict[tuple[Any, ...], list[int]]()
    further = distinguishing_settings(records, by)
    for index, record in enumerate(records):
        groups.setdefault(_key(record, by), []).append(index)
    found = []
    for key, indices in groups.items():
        seen: dict[Any, str] = {}
        for index in indices:
            record = records[index]
            whole = _key(record, names)
            if whole in seen:
                raise UsageError(f"{seen[whole]} and {record.name} are the same experiment; give one of them")
            seen[whole] = record.name
        own = [(records[index], outcomes[index]) for index in indices]
        scored = [(record, outcome) for record, outcome in own if not isinstance(outcome, str)]
        found.append(
            Group(
                dict(zip(by, key, strict=True)),
                tuple(outcome for _, outcome in scored),
                tuple(int(value_of(record, "seed")) for record, _ in scored),
                tuple(record.name for record, _ in scored),
                tuple(
                    FailedRun(record.name, int(value_of(record, "seed")), outcome)
                    for record, outcome in own
                    if isinstance(outcome, str)
                ),
                tuple(kimg[record.name] for record, _ in scored),
                tuple(_key(record, further) for record, _ in scored),
            )
        )
    return found
