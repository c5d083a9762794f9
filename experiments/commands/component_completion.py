"""Completion of what components bring: presets, keys of options, strengths, terms and schedules."""

from collections.abc import Iterable, Iterator, Mapping

import click
from click.shell_completion import CompletionItem

from experiments.commands.completion import (
    KINDS,
    Complete,
    complete_choice,
    complete_file,
    complete_plugins,
    offering,
)
from experiments.core import registry
from experiments.core.options import NAMED, SLOTS, ComponentOptions, describe_options, plugins_in
from experiments.core.settings import FIELDS, SCHEDULABLE, Settings

SEVERAL = {"arch": "architectures", "loss": "losses", "data": "sets"}  # parameters of a sweep
OWN_PRESETS = ("auto", "paper", "laptop")  # which every architecture has
SEVERAL_WORDS = ",…"  # end of the metavar of a list
WEIGHT = "_weight"


def complete_setting(
    name: str, context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completes the words of a setting: names of plug-ins, files, what components bring, or a choice."""
    if name in KINDS:
        if "," in incomplete and name != "data" and not (parameter.metavar or "").endswith(SEVERAL_WORDS):
            return []
        return [
            *complete_choice(context, parameter, incomplete),
            *complete_plugins(KINDS[name], incomplete),
        ]
    return COMPLETIONS.get(name, complete_choice)(context, parameter, incomplete)


def names_in(context: click.Context, slot: str) -> list[str]:
    """Names of the components of a slot that stand in the line so far; none where they are left out."""
    word = context.params.get(slot) or context.params.get(SEVERAL.get(slot, "")) or ""
    found = [part.partition(":")[0] for part in str(word).split(",") if part]
    return [registry.load_recipe(each).form for each in found] if slot == "loss" else found


def _presets(context: click.Context, last: str) -> Iterator[str]:
    """Presets of the architecture."""
    yield from OWN_PRESETS
    if last and any(each.startswith(last) for each in OWN_PRESETS):
        return  # without loading an architecture
    for arch in names_in(context, "arch") or [Settings.arch]:
        presets: Mapping[str, str] = registry.load("architecture", arch).describe_presets()
        yield from sorted(presets.keys() - OWN_PRESETS)


def _strengths(context: click.Context, last: str) -> list[str]:
    """Regularizers, each before its strength."""
    return [f"{name}=" for name in registry.names("regularizer")]


def _terms(context: click.Context, last: str) -> list[str]:
    """Terms of the generator's loss, each before its weight."""
    owners = list(_owners(context, "arch", {"architecture"}))
    keys = sorted({key for owner in owners for key in owner.options if key.endswith(WEIGHT)})
    return [f"{key.removesuffix(WEIGHT)}=" for key in keys]


def _schedules(context: click.Context, last: str) -> list[str]:
    """Settings that a schedule may move, and after one the schedules."""
    key, equals, _ = last.partition("=")
    if equals:
        return [f"{key}={name}:" for name in registry.names("schedule")]
    return [f"{name}=" for name in SCHEDULABLE]


COMPLETIONS: dict[str, Complete] = {
    "preset": offering(_presets),
    "regularizers": offering(_strengths),
    "schedule": offering(_schedules),
    "term_weights": offering(_terms),
    **dict.fromkeys(("init_from", "plugin", "data_root"), complete_file),
}


def option_keys(*kinds: str, settings: bool = False) -> Complete:
    """Makes the completion of keys of options, `arch.mapping_layers=`, and of the words of their choices.

    Options are those of the components in the line so far; of a slot that is left out those of all that it
    may hold.

    Args:
        kinds: kinds of the components; all without any.
        settings: whether names of settings stand there, too.
    """
    known = set(kinds or (*SLOTS.values(), *NAMED))
    return offering(lambda context, word: _keys(context, word, known, settings), is_list=False)


def _keys(context: click.Context, word: str, kinds: set[str], settings: bool) -> Iterator[str]:
    """Prefixes, keys, or values, by how far the word is written."""
    prefix, dot, _ = word.partition(".")
    if not dot:
        if settings:
            yield from (f"{name}=" for name in setting_names())
        yield from (f"{slot}." for slot, kind in SLOTS.items() if kind in kinds)
        yield from (f"{name}." for kind in NAMED if kind in kinds for name in registry.names(kind))
        return
    owners = list(_owners(context, prefix, kinds))
    key, equals, _ = word.partition("=")
    if not equals:
        yield from sorted({f"{prefix}.{name}=" for owner in owners for name in owner.options})
        return
    own = key.partition(".")[2]
    for owner in owners:
        if own in owner.options:
            yield from (f"{key}={choice}" for choice in owner.options[own].metadata.get("choices", ()))


def _owners(context: click.Context, prefix: str, kinds: Iterable[str]) -> Iterator[ComponentOptions]:
    """Components of these kinds that a prefix of a key may mean."""
    if prefix in SLOTS and SLOTS[prefix] in kinds:
        for name in names_in(context, prefix) or plugins_in(SLOTS[prefix]):
            yield describe_options(SLOTS[prefix], name)
    for kind in NAMED:
        if kind in kinds and prefix in registry.names(kind):
            yield describe_options(kind, prefix)


def setting_names() -> list[str]:
    """Names of the settings that a flag sets."""
    return [name for name, field in FIELDS.items() if not field.metadata["derived"]]
