"""Completion from the files of the runs in the line so far: their scores, settings and targets.

Click has not made arguments of these words yet, as the last option has no value: they are in `args`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.commands.completion import Complete, offering
from experiments.commands.component_completion import setting_names

if TYPE_CHECKING:
    from experiments.analysis.comparison.record import Record

REMOTE = "wandb:"  # which a key of the keyboard should not read from


def _records(context: click.Context) -> "list[Record]":
    """Records of the runs that stand in the line so far."""
    from experiments.analysis.comparison.read import read_records

    return read_records([word for word in context.args if not word.startswith(REMOTE)])


def _scores(context: click.Context, last: str) -> list[str]:
    """Scores that all runs have, in the order of their files."""
    from experiments.analysis.comparison.score_choice import directional_scores, scores_by_name

    first, *others = [directional_scores(scores_by_name(record)) for record in _records(context)]
    return [name for name in first if all(name in each for each in others)]


def _groupings(context: click.Context, last: str) -> Iterator[str]:
    """Settings, and keys of the options that the runs have."""
    yield from setting_names()
    if "." in last:
        yield from sorted({key for record in _records(context) for key in record.settings if "." in key})


def _targets(context: click.Context, last: str) -> list[str]:
    """Domains or attributes to which the generator of a run translates."""
    from experiments.runs.generator import load_generator
    from gans.core.attributes import groups_from_columns
    from gans.core.translation import AttributeTranslator, DomainTranslator

    if not context.args:
        return []
    network, settings = load_generator(Path(context.args[0]))
    if isinstance(network, DomainTranslator):
        return list(network.targets)
    groups = groups_from_columns(settings.attributes) if isinstance(network, AttributeTranslator) else ()
    return [f"{group.name}={value}" for group in groups for value in group.values]


complete_score: Complete = offering(_scores)
complete_grouping: Complete = offering(_groupings)
complete_target: Complete = offering(_targets)
