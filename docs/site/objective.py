"""The objective of a loss, written from its recipe: what both players minimise, and all its options."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from experiments.commands.list import BOUNDS, describe_plugin
from experiments.core import registry
from experiments.core.setting_defaults import WHERE_USED
from experiments.core.settings import FIELDS, flag
from experiments.core.value_format import format_value
from losses.recipe import Defaults, Recipe

PENALTY_SETTINGS = ("penalty", "penalty_norm", "penalty_weight", "penalty_every", "penalty_anneal")
CONDITIONLESS = "every run"
SYMBOLS = (
    "x is a real image, x̃ a generated one, C(x) the critic's logit, and E the mean over a batch; the critic "
    "learns from both, the generator by x̃ = G(z)."
)


class Value(NamedTuple):
    """A value of a setting, and the condition under which it is a default."""

    where: str
    value: Any


def parts_of(recipe: Recipe) -> list[tuple[str, str]]:
    """Kinds and names of the parts that a loss is made of."""
    values = {key: value for each in recipe.settings for key, value in each.values.items()}
    norm = values.get("penalty_norm")
    parts = [("form", recipe.form)]
    parts += [("penalty", point) for point in values.get("penalty", ())]
    parts += [("penalty-norm", norm)] if norm else []
    return parts + [("regularizer", each) for each in values.get("regularizers", {})]


def objective(recipe: Recipe) -> str:
    """Writes what both players minimise in one formula each, and what its letters are."""
    critic, generator = formulas_of("form", recipe.form)[:2]
    terms, letters = _penalty_terms(recipe)
    lines = [
        "The critic minimises",
        f"`{' + '.join([_expectation(critic), *terms])}`",
        "and the generator",
        f"`{_expectation(generator)}`",
        "\n".join(f"* {each}" for each in (SYMBOLS, *letters, *_regularizers(recipe))),
    ]
    return "\n\n".join(lines)


def option_rows(recipe: Recipe) -> list[tuple[str, str, str, str]]:
    """Options of a loss and of its parts: how to set each, its default, its range and its meaning."""
    kinds = parts_of(recipe)
    rows = []
    if any(kind == "penalty" for kind, _ in kinds):
        rows += [_setting_row(recipe, name) for name in PENALTY_SETTINGS]
    for kind, name in kinds:
        if kind == "regularizer":
            rows.append(
                (f"`--{name} STRENGTH`", _strengths(recipe, name), "", registry.summary_of(kind, name))
            )
    for kind, name in kinds:
        rows += plugin_option_rows(describe_plugin(kind, name)["options"])
    return rows


def plugin_option_rows(options: list[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Options of a plug-in as rows: how to set each, its default, its range and its meaning."""
    rows = []
    for each in options:
        limits = [f"{word} {_bound(each[key])}" for key, word in BOUNDS.items() if key in each]
        limits += ["may move by `--schedule`"] * each["schedulable"]
        setting, default = f"`--set {each['key']}=…`", f"`{format_value(each['default'])}`"
        rows.append((setting, default, "; ".join(limits), each["help"]))
    return rows


def _bound(value: Any) -> str:
    """Bound of an option, or its choices with spaces between, at which a cell of a table can wrap."""
    return ", ".join(map(format_value, value)) if isinstance(value, tuple) else format_value(value)


def ordered(settings: tuple[Defaults, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Conditions and their values, in the order in which they apply: those of presets come last.

    Neighbours under one condition are one.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for each in sorted(settings, key=lambda each: each.preset is not None):
        where = condition(each)
        if found and found[-1][0] == where:
            found[-1][1].update(each.values)
        else:
            found.append((where, dict(each.values)))
    return found


def condition(each: Defaults) -> str:
    """Conditions of default settings, in words."""
    found = [f"`--preset {each.preset}`"] * (each.preset is not None)
    found += [f"data are {each.data}"] * (each.data is not None)
    found += [f"loss {' or '.join(each.losses or ())}"] * (each.losses is not None)
    found += [f"up to {each.up_to} pixels"] * (each.up_to is not None)
    return ", ".join(found) or CONDITIONLESS


def values_of(recipe: Recipe, name: str) -> list[Value]:
    """Defaults of a setting, each with its condition; later ones replace earlier ones."""
    return [Value(where, values[name]) for where, values in ordered(recipe.settings) if name in values]


def formulas_of(kind: str, name: str) -> list[str]:
    """Formulas in the first paragraph of a part's docstring."""
    text = inspect.getdoc(registry.load(kind, name)) or ""
    return re.findall(r"`([^`]+)`", text.partition("\n\n")[0])


def _penalty_terms(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Terms of the gradient penalties with their weight, and lines about the letters in them."""
    points = [name for kind, name in parts_of(recipe) if kind == "penalty"]
    if not points:
        return [], []
    weights, anneal = values_of(recipe, "penalty_weight"), values_of(recipe, "penalty_anneal")
    weight = format_value(weights[0].value) if len(weights) == 1 and not anneal else "λ"
    norm = next(formulas_of(kind, name)[0] for kind, name in parts_of(recipe) if kind == "penalty-norm")
    terms, letters = [], []
    for name in points:
        point = formulas_of("penalty", name)[0].partition("x̂ = ")[2]
        is_letter = point in ("x", "x̃")
        gradient = f"∇C({point})" if is_letter else "∇C(x̂)"
        terms.append(f"{weight} E[{norm.replace('∇C', gradient)}]")
        if not is_letter:
            letters.append(f"**x̂**: {_about('penalty', name)}")
    said = _words(weights) if weight == "λ" else f"`{weight}`"
    letters.append(f"**λ**, the weight of the penalty, is {said}: `--penalty-weight`.")
    letters += [
        f"λ falls to {format_value(each.value)} of that along a cosine over the run: `--penalty-anneal`."
        for each in anneal
    ]
    return terms, letters


def _regularizers(recipe: Recipe) -> Iterator[str]:
    """Lines about the regularizers of a loss, which act beside the formula."""
    for kind, name in parts_of(recipe):
        if kind == "regularizer":
            yield f"**{name}**, {_strengths(recipe, name)}: {_about(kind, name)}"


def _strengths(recipe: Recipe, regularizer: str) -> str:
    """Strengths of a regularizer in a recipe, and where each holds."""
    return _words([Value(v.where, v.value[regularizer]) for v in values_of(recipe, "regularizers")])


def _about(kind: str, name: str) -> str:
    """Docstring of a part up to its example, as one line."""
    text = inspect.getdoc(registry.load(kind, name)) or ""
    return " ".join(text.partition(">>>")[0].split())


def _expectation(formula: str) -> str:
    """Puts a loss of one sample under an expectation; one that is a mean already stays."""
    return formula if re.search(r"(^|\s|−)E ", formula) else f"E[{formula}]"


def _setting_row(recipe: Recipe, name: str) -> tuple[str, str, str, str]:
    """Row of a setting of the run, with the recipe's default."""
    found = FIELDS[name].metadata
    values = values_of(recipe, name) or [Value(CONDITIONLESS, WHERE_USED[name])]
    metavar = found["metavar"]
    return (f"`{flag(name)} {metavar}`", _words(values), _range(name), found["help"])


def _range(name: str) -> str:
    """Range of a setting's values in words."""
    bounds = getattr(FIELDS[name].metadata["read"], "bounds", "")
    return f"`{bounds}`" if bounds else ""


def _words(values: list[Value]) -> str:
    """Values and where they hold, in words: `1`; `0.05` up to 32 pixels."""
    found = []
    for where, value in values:
        text = f"`{format_value(value)}`"
        found.append(text if where == CONDITIONLESS else f"{text} ({where})")
    return "; ".join(found)
