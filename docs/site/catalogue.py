"""Pages about the plug-ins, written from the plug-ins themselves, so that they are never out of date."""

import inspect
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from markdown_pages import Row, bullets_of, code, from_docstring, rows_of, table

from experiments.commands.list import BOUNDS, describe_plugin
from experiments.core import registry
from experiments.core.value_format import format_value
from losses.recipe import Defaults, Rule

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RESULTS = ("results.md", "translation.md", "small-data.md")  # pages with what was trained here
TASKS = {
    "noise": "samples from noise",
    "pairs": "translates images, learned from pairs",
    "domains": "translates between two domains of images",
    "attributes": "changes attributes of images",
}
# Kinds with a page of their own for each plug-in; the others have one page for the kind.
OWN_PAGES = ("architecture", "loss")


def architecture_page(name: str) -> str:
    """Writes the page of an architecture, from its paper to its departures from it."""
    found, plugin = describe_plugin("architecture", name), registry.load("architecture", name)
    facts = [
        ("paper", plugin.paper),
        ("makes", f"{TASKS[plugin.task]} ({' or '.join(plugin.data)})"),
        (
            "by itself",
            f"`gans run --arch {name}` trains with loss `{plugin.default_loss}` on `{plugin.default_data}`",
        ),
        ("class labels", "with `--conditional`" if plugin.takes_labels else "–"),
        ("critic's norm", f"`{plugin.critic_norm}`, where the loss asks for no other"),
    ]
    module = inspect.getmodule(plugin.generator)
    return _join(
        f"# {name}",
        from_docstring(inspect.getdoc(module) or found["summary"]),
        _facts(facts),
        _results(name, f"--arch {name}"),
        _section("Networks", *_networks(plugin)),
        _defaults(plugin.settings),
        _section("Presets", table(("`--preset`", ""), _preset_rows(found["presets"]))),
        _options(found["options"]),
        _departures(name),
    )


def loss_page(name: str) -> str:
    """Writes the page of a loss: formula, penalties, results, defaults and options."""
    found, recipe = describe_plugin("loss", name), registry.load_recipe(name)
    form = registry.load("form", recipe.form)
    values = {key: value for each in recipe.settings for key, value in each.values.items()}
    norm = values.get("penalty_norm")
    parts = [("form", recipe.form)]
    parts += [("penalty", point) for point in values.get("penalty", ())]
    parts += [("penalty-norm", norm)] if norm else []
    parts += [("regularizer", each) for each in values.get("regularizers", {})]
    facts = [("paper", recipe.paper)]
    facts += [
        ("compares pairs", "yes: the generator's loss reads logits of real samples")
    ] * form.relativistic
    if form.threshold is not None:
        facts.append(("an image counts as real above", f"logit {form.threshold:g}"))
    return _join(
        f"# {name}",
        found["summary"],
        _facts(facts),
        _section("Formula", *(_formula(kind, word) for kind, word in parts)),
        _results(name, f"--loss {name}"),
        _defaults(recipe.settings),
        _options(found["options"]),
        _section("With other parts", _combinations(name)),
    )


def kind_page(kind: str) -> str:
    """Writes the page of all plug-ins of a kind, with their options."""
    plural = registry.KINDS[kind].plural
    parts = [f"# {plural.replace('-', ' ').capitalize()}", f"`gans list {plural}` prints them."]
    for name in sorted(registry.built_in_names(kind)):
        found = describe_plugin(kind, name)
        plugin = registry.load(kind, name)
        text = inspect.getdoc(plugin) if inspect.isclass(plugin) else ""
        parts += [
            f"## {name}",
            from_docstring(found["summary"]),
            f"Paper: {found['paper']}" if found["paper"] else "",
        ]
        parts += [from_docstring(text or ""), _options(found["options"], level=3)]
    return _join(*parts)


def kinds() -> list[str]:
    """Kinds of plug-ins that have one page for all of them."""
    return [name for name, kind in registry.KINDS.items() if kind.plural and name not in OWN_PAGES]


def index_page(kind: str) -> str:
    """Writes the list of all architectures, or all losses."""
    names = sorted(registry.built_in_names(kind))
    plural = "Architectures" if kind == "architecture" else "Losses"
    rows = [(f"[{name}]({name}.md)", registry.summary_of(kind, name)) for name in names]
    return _join(f"# {plural}", table(("", ""), rows))


def result_rows(name: str, flag: str) -> list[Row]:
    """Finds rows of results of a plug-in: their command has its flag, or their first cell names it."""
    word = re.compile(rf"{re.escape(flag)}(?![\w-])")
    pages = [(DOCS / page).read_text(encoding="utf-8") for page in RESULTS]
    rows = [row for page in pages for row in rows_of(page)]
    return [
        row for row in rows if row.first == f"`{name}`" or word.search(row.first) or f"({name})" in row.first
    ]


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"* **{name}**: {text}" for name, text in facts)


def _results(name: str, flag: str) -> str:
    """Section of what was trained here, with pictures and commands."""
    texts: list[str] = []
    for (heading, text, header), rows in groupby(result_rows(name, flag), key=lambda row: row[:3]):
        says = re.sub(r"\b(LOSS|NAME)\b", name, text)
        dashes = re.sub(r"[^|]+", "---", header)
        lines = "\n".join([header, dashes, *(row.line for row in rows)])
        above = f"**{heading}.** {says}" if says else f"**{heading}**"
        # Relative links stand one folder deeper here.
        texts.append(re.sub(r"\]\((?!https?:|#)([^)]+)\)", r"](../\1)", f"{above}\n\n{lines}"))
    return _section("Trained here", *texts)


def _networks(plugin: Any) -> Iterable[str]:
    """Docstrings of the builders of both networks."""
    for title, builder in (("Generator", plugin.generator), ("Critic", plugin.critic)):
        text = inspect.getdoc(builder)
        yield f"**{title}.** {from_docstring(text)}" if text else ""


def _formula(kind: str, name: str) -> str:
    """Docstring of the class of a part, under its name."""
    plugin = registry.load(kind, name)
    words = {
        "form": "loss",
        "penalty": "points of the gradient penalty",
        "penalty-norm": "norm of the penalty",
    }
    title = f"### `{name}`: {words.get(kind, kind)}"
    return f"{title}\n\n{from_docstring(inspect.getdoc(plugin) or '')}"


def _defaults(settings: Iterable[Defaults]) -> str:
    """Section of default settings, and when they hold."""
    rows = [(_condition(each), ", ".join(_pairs(each.values))) for each in settings]
    return _section("Default settings", "Later rows win.", table(("where", "settings"), rows))


def _condition(each: Defaults) -> str:
    """Conditions of default settings, in words."""
    found = [f"`--preset {each.preset}`"] * (each.preset is not None)
    found += [f"data are {each.data}"] * (each.data is not None)
    found += [f"loss {' or '.join(each.losses or ())}"] * (each.losses is not None)
    found += [f"up to {each.up_to} pixels"] * (each.up_to is not None)
    return ", ".join(found) or "always"


def _pairs(values: Mapping[str, Any]) -> list[str]:
    """Settings as `name=value`; a value that is computed, by its formula."""
    found = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += [f"`{key}={format_value(part)}`" for key, part in value.items()]
        elif isinstance(value, Rule):
            found.append(f"`{name}`: {value.words}")
        else:
            found.append(f"`{name}={format_value(value, name)}`")
    return found


def _preset_rows(presets: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", line) for name, line in presets.items()]


def _options(options: Iterable[Mapping[str, Any]], level: int = 2) -> str:
    """Section of a plug-in's own options."""
    rows = []
    for each in options:
        limits = [f"{word} {format_value(each[key])}" for key, word in BOUNDS.items() if key in each]
        limits += ["may move by `--schedule`"] * each["schedulable"]
        rows.append(
            (f"`{each['key']}`", f"`{format_value(each['default'])}`", "; ".join(limits), each["help"])
        )
    if not rows:
        return ""
    return _section("Options", table(("`--set KEY=VALUE`", "default", "range", ""), rows), level=level)


def _departures(name: str) -> str:
    """Section of departures from the paper: those that the other pages name."""
    published = (DOCS / "published.md").read_text(encoding="utf-8")
    rows = [row for row in rows_of(published) if row.heading == "Departures from the paper"]
    cells = [[cell.strip() for cell in row.line.strip().strip("|").split("|")] for row in rows]
    own = [f"{what}: {why}" for names, what, why in cells if name in names.split(", ") and why]
    translation = (DOCS / "translation.md").read_text(encoding="utf-8")
    own += [text for text in bullets_of(translation, "Departures from the paper") if f"`{name}`" in text]
    more = "Those of all architectures are in [published weights](../published.md#departures-from-the-paper)."
    return _section("Departures from the paper", "\n".join(f"* {each}" for each in own), more)


def _combinations(name: str) -> str:
    """Examples of a loss with other parts."""
    other = "bce" if name == "hinge" else "hinge"
    return code(
        f"gans run --arch dcgan --loss {name}\n"
        f"gans run --arch stylegan2 --loss {name} --data folder:PATH\n"
        f"gans sweep --arch dcgan --loss {name},{other} --seeds 3"
    )


def _section(title: str, *parts: str, level: int = 2) -> str:
    """Writes a section, unless it is empty."""
    body = _join(*parts)
    return f"{'#' * level} {title}\n\n{body}" if body else ""


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
