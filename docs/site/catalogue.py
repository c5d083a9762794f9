"""Pages about the plug-ins, written from the plug-ins themselves, so that they are never out of date."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from markdown_pages import Row, code, from_docstring, rows_of, table
from objective import objective, option_rows, ordered, parts_of, plugin_option_rows

from experiments.commands.list import describe_plugin
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
PARTS = {  # of a loss, in words
    "form": "loss",
    "penalty": "points of the gradient penalty",
    "penalty-norm": "norm of the penalty",
}
OPTION_COLUMNS = ("option", "default", "range", "")
HOW_ROWS_APPLY = (
    "A run takes the settings of every row whose condition holds; where two rows that hold have the same "
    "setting, the lower row counts."
)
WHICH_PRESET = "Without `--preset`, a run on a CPU takes `laptop`, any other run `paper`."
ORDER = (
    "Where loss, architecture and others set the same, the last of these counts: the "
    "[loss](../losses/index.md) without a preset, the [architecture](../architectures/index.md) without a "
    "preset, the preset of the loss, that of the architecture, the data, a config file, flags."
)
COMMON_DEPARTURES = (
    "What differs in all architectures is in [published weights](../published.md#departures-from-the-paper)."
)


def architecture_page(name: str) -> str:
    """Writes the page of an architecture: paper, formula, results, networks, settings, departures."""
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
        _section("Formula", *_objective(plugin)),
        _results(name, f"--arch {name}"),
        _section("Networks", *_networks(plugin)),
        _defaults(plugin.settings),
        _section("Presets", table(("`--preset`", ""), _preset_rows(found["presets"]))),
        _options(plugin_option_rows(found["options"])),
        _departures(plugin.departures, COMMON_DEPARTURES),
    )


def loss_page(name: str) -> str:
    """Writes the page of a loss: formula, penalties, results, defaults, options and departures."""
    found, recipe = describe_plugin("loss", name), registry.load_recipe(name)
    form = registry.load("form", recipe.form)
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
        _section("Formula", objective(recipe), *(_formula(kind, word) for kind, word in parts_of(recipe))),
        _results(name, f"--loss {name}"),
        _defaults(recipe.settings),
        _options(option_rows(recipe)),
        _section("With other parts", code("\n".join(combinations(name)))),
        _departures(recipe.departures),
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
        parts += [from_docstring(text or ""), _options(plugin_option_rows(found["options"]), level=3)]
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
    text = inspect.getdoc(registry.load(kind, name)) or ""
    return f"### `{name}`: {PARTS.get(kind, kind)}\n\n{from_docstring(text)}"


def _objective(plugin: Any) -> Iterable[str]:
    """Objective of both players of an architecture: docstring of its game, and the loss by default."""
    blocks = (inspect.getdoc(plugin.game) or "").split("\n\n")
    yield from_docstring("\n\n".join(each for each in blocks if not each.startswith(("Args:", "Raises"))))
    loss = plugin.default_loss
    firsts = [
        (inspect.getdoc(registry.load(kind, name)) or "").partition("\n\n")[0]
        for kind, name in parts_of(registry.load_recipe(loss))
    ]
    yield f"L_C and L_G are those of the loss, by default [{loss}](../losses/{loss}.md):"
    yield "\n".join(f"* {' '.join(each.split())}" for each in firsts)


def _defaults(settings: tuple[Defaults, ...]) -> str:
    """Section of default settings, and when they hold."""
    rows = [(where, ", ".join(_pairs(values))) for where, values in ordered(settings)]
    words = [HOW_ROWS_APPLY] * (len(rows) > 1) + [WHICH_PRESET] * any(each.preset for each in settings)
    return _section("Default settings", " ".join([*words, ORDER]), table(("when", "settings"), rows))


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


def _options(rows: Sequence[Row], level: int = 2) -> str:
    """Section of options; empty where there are none."""
    return _section("Options", table(OPTION_COLUMNS, rows), level=level) if rows else ""


def _departures(departures: str | None, more: str = "") -> str:
    """Section of departures from the paper, unless nobody has looked for any."""
    if departures is None:
        return ""
    return _section("Departures from the paper", inspect.cleandoc(departures) or "None known.", more)


def combinations(name: str) -> list[str]:
    """Commands of a loss with other parts."""
    other = "bce" if name == "hinge" else "hinge"
    return [
        f"gans run --arch dcgan --loss {name}",
        f"gans run --arch stylegan2 --loss {name} --data folder:PATH",
        f"gans sweep --arch dcgan --loss {name},{other} --seeds 3",
    ]


def _section(title: str, *parts: str, level: int = 2) -> str:
    """Writes a section, unless it is empty."""
    body = _join(*parts)
    return f"{'#' * level} {title}\n\n{body}" if body else ""


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
