"""Options of components: found by key (`arch.mapping_layers`), read, checked, and made into dataclasses.

A component declares its options as a dataclass, `options_type`. Kinds of which a run has one are named by
their setting (`arch`, `optimizer`, …), kinds of which it may have several by the plug-in (`kid.subset_size`).
"""

import types
from collections.abc import Mapping, Sequence
from dataclasses import Field, fields
from difflib import get_close_matches
from functools import cache, partial
from inspect import signature
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject, SettingValues
from experiments.core.value_readers import Read, boolean, choice, finite_number, text, whole_number

# Settings that name the one component of a kind, and that kind.
SLOTS = {
    "arch": "architecture",
    "loss": "form",
    "data": "data",
    "optimizer": "optimizer",
    "lr_schedule": "schedule",
    "critic_norm": "norm",
    "minibatch_statistic": "batch-statistic",
    "penalty_norm": "penalty-norm",
    "extractor": "extractor",
    "ema": "ema",
}
# Kinds of which a run may have several, in the order in which a name is looked for.
NAMED = ("penalty", "regularizer", "augmentation", "critic-augmentation", "metric", "tracker")


class ComponentOptions(NamedTuple):
    """The component that a key belongs to, and its options by name."""

    kind: str
    name: str
    options: Mapping[str, Field[Any]]
    readers: Mapping[str, Read]


def split_key(key: str) -> tuple[str, str]:
    """Splits a key: `minibatch-statistic.group-size` → `("minibatch_statistic", "group_size")`.

    A plug-in's name keeps its hyphens.
    """
    prefix, _, name = key.partition(".")
    slot = prefix.replace("-", "_")
    return (slot if slot in SLOTS else prefix.replace("_", "-")), name.replace("-", "_")


def canonical_key(key: str) -> str:
    """Normalizes the spelling of an option's key: `precision_recall.k` → `precision-recall.k`."""
    return ".".join(split_key(key))


def options_type(kind: str, name: str) -> Any:
    """Options dataclass (a type) of a plug-in; None without options. Raises UsageError if unknown."""
    if kind == "ema":
        from gans.core.ema import EmaOptions

        return EmaOptions
    return getattr(registry.load(kind, name), "options_type", None)


def describe_options(kind: str, name: str) -> ComponentOptions:
    """Describes the options of a plug-in: their dataclass fields, with readers of their values.

    Raises UsageError for an unknown plug-in.
    """
    declared = options_type(kind, name)
    own, readers = ({}, {}) if declared is None else _read_declaration(declared)
    return ComponentOptions(kind, name, own, readers)


@cache
def _read_declaration(declared: Any) -> tuple[Mapping[str, Field[Any]], Mapping[str, Read]]:
    """Fields of an options dataclass, and a reader for the values of each."""
    hints = get_type_hints(declared)
    own = {each.name: each for each in fields(declared)}
    readers = {
        each: field.metadata.get("reader") or _reader(hints[each], field.metadata)
        for each, field in own.items()
    }
    return own, readers


def find_components(prefix: str, components: Mapping[str, str]) -> list[ComponentOptions]:
    """Finds the components that a key's prefix may mean: that of the slot, or the plug-ins of that name.

    Args:
        components: the name of the component in each slot of the run.
    """
    if prefix in SLOTS:
        name = components.get(prefix)
        return [describe_options(SLOTS[prefix], name)] if name else []
    return [describe_options(kind, prefix) for kind in NAMED if prefix in registry.names(kind)]


def read_option(key: str, value: object, components: Mapping[str, str]) -> Any:
    """Reads and checks the value of an option.

    Raises UsageError for a key that no component of the run has, and ValueError for a value that it cannot
    have.
    """
    prefix, name = split_key(key)
    owners = find_components(prefix, components)
    for owner in owners:
        if name in owner.readers:
            return owner.readers[name](value)
    raise unknown_option_error(key, owners, components)


def unknown_option_error(
    key: str, owners: list[ComponentOptions], components: Mapping[str, str]
) -> UsageError:
    """Makes the error for a key that means nothing in this run, with what there is instead."""
    prefix, name = split_key(key)
    if not owners:
        known = [*SLOTS, *(each for kind in NAMED for each in registry.names(kind))]
        own = [f"{slot}.{name}" for slot, kind in SLOTS.items() if prefix in plugins_in(kind)]
        close = own or get_close_matches(prefix, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return UsageError(f"--set {key}: there is no component {prefix}{hint}")
    found = [each for owner in owners for each in owner.options]
    close = get_close_matches(name, found, n=1)
    who = f"{owners[0].kind} {owners[0].name}"
    if close:
        return UsageError(f"--set {key}: {who} has no option {name}; did you mean {prefix}.{close[0]}?")
    has = ", ".join(f"{prefix}.{each}" for each in found) if found else "no options"
    return UsageError(f"--set {key}: {who} has no option {name}; it has {has}")


def plugins_in(kind: str) -> list[str]:
    """Names of the plug-ins of a kind; of the EMA, which is no plug-in, its only one."""
    return ["ema"] if kind == "ema" else registry.names(kind)


def is_list_option(key: str) -> bool:
    """Whether any component has an option of that key whose value is a list, with commas."""
    return any(isinstance(default, tuple) for default in _defaults(key))


def is_whole_option(key: str) -> bool:
    """Whether the option of that key is a whole number in all components that have it."""
    kinds = {type(default) for default in _defaults(key)}
    return kinds == {int}


def _defaults(key: str) -> list[Any]:
    """Defaults of an option in all components that have it."""
    prefix, name = split_key(key)
    kinds = [(SLOTS[prefix], each) for each in plugins_in(SLOTS[prefix])] if prefix in SLOTS else []
    kinds += [(kind, prefix) for kind in NAMED if prefix in registry.names(kind)]
    return [
        describe_options(*each).options[name].default
        for each in kinds
        if name in describe_options(*each).options
    ]


def make_options(declared: type | None, prefix: str, values: SettingValues) -> Any:
    """Makes the options dataclass of a component from the options of a run; None where it has none."""
    if declared is None:
        return None
    own = {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{prefix}.")}
    return declared(**{each.name: own[each.name] for each in fields(declared) if each.name in own})


def make_component(kind: str, name: str, prefix: str, values: SettingValues, *arguments: Any) -> Any:
    """Makes an instance of a plug-in that is a class, from its arguments and its options, if any.

    Raises UsageError for a class that does not take them.
    """
    plugin = registry.load(kind, name)
    options = make_options(getattr(plugin, "options_type", None), prefix, values)
    given = arguments if options is None else (*arguments, options)
    try:
        signature(plugin).bind(*given)
    except TypeError as error:
        names = ["self", *(f"argument_{place}" for place in range(len(arguments)))]
        names += ["options"] * (options is not None)
        raise UsageError(
            f"{kind} {name}: {plugin.__name__} does not take what it is made of ({error}); "
            f"give it def __init__({', '.join(names)})"
        ) from error
    return plugin(*given)


def _reader(hint: Any, metadata: JsonObject, separator: str = ",") -> Read:
    """Makes a reader of values of a type within bounds: int, float, bool, str, tuples, None, and words."""
    if get_origin(hint) in (Union, types.UnionType):
        words = [word for each in get_args(hint) if get_origin(each) is Literal for word in get_args(each)]
        (inner,) = (
            each for each in get_args(hint) if each is not type(None) and get_origin(each) is not Literal
        )
        read = _reader(inner, metadata)
        return partial(_read_word_or, read, words) if words else partial(_read_optional, read)
    if get_origin(hint) is tuple:
        return partial(_read_list, get_args(hint), metadata, separator)
    if hint is bool:
        return _read_boolean
    if hint is int:
        return whole_number(metadata.get("at_least", -(2**63)), metadata.get("at_most", 2**63 - 1))
    if hint is float:
        bounds = ("above", "at_least", "at_most", "below")
        return finite_number(**{name: metadata[name] for name in bounds if name in metadata})
    return choice(*metadata["choices"]) if "choices" in metadata else text


def _read_optional(read: Read, value: object) -> Any:
    return None if value is None or value == "none" else read(value)


def _read_word_or(read: Read, words: Sequence[str], value: object) -> Any:
    """Reads one of `words`, or else what `read` reads."""
    if isinstance(value, str) and value in words:
        return value
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{error}; {' or '.join(words)} is possible as well") from error


def _read_list(
    hints: tuple[Any, ...], metadata: JsonObject, separator: str, value: object
) -> tuple[Any, ...]:
    """Reads a list, `A,B`; a list of tuples, `A:B,C:D`, is sorted and names no first part twice."""
    parts = [part for part in value.split(separator) if part] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError(f"'{value}' is not a list")
    is_nested = get_origin(hints[0]) is tuple
    if hints[-1] is Ellipsis:
        hints = (hints[0],) * len(parts)
    if len(hints) != len(parts):
        raise ValueError(f"'{value}' has {len(parts)} parts, not {len(hints)}")
    found = tuple(_reader(hint, metadata, ":")(part) for hint, part in zip(hints, parts, strict=True))
    if not is_nested:
        return found
    if len({first for first, *_ in found}) < len(found):
        raise ValueError(f"'{value}' names one twice")
    return tuple(sorted(found))


def _read_boolean(value: object) -> bool:
    known = {"true": True, "yes": True, "false": False, "no": False}
    return boolean(known.get(value.lower(), value) if isinstance(value, str) else value)
