"""Command `gans list`: parse, call, print. Nothing heavy is imported at the top."""

from typing import Any

import click

from experiments.commands.completion import complete_words
from experiments.commands.options import debug_option, json_option, plugin_option
from experiments.core import registry
from experiments.core.console import format_json, output_width, wrap_line
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject

# The words after `gans list`, and the kinds behind them; losses are recipes and forms together.
KINDS = {"architectures": "architecture", "losses": "loss"}
KINDS |= {kind.plural: name for name, kind in registry.KINDS.items() if kind.plural}


@click.command("list")
@click.argument(
    "what",
    required=False,
    metavar="[KIND|NAME]",
    shell_complete=lambda context, parameter, incomplete: complete_words(
        [*KINDS, *(name for kind in KINDS.values() for name in registry.plugin_names(kind))], incomplete
    ),
)
@plugin_option
@json_option
@debug_option
def list_plugins(what: str | None, as_json: bool, debug: bool) -> None:
    """List architectures, losses, data and all other plug-ins, those of one KIND, or NAME with its options.

    \b
    gans list optimizers
    gans list stylegan2
    """
    if what is None or what in KINDS:
        _list_kinds([what] if what else list(KINDS), as_json)
        return
    kinds = [(plural, kind) for plural, kind in KINDS.items() if what in registry.plugin_names(kind)]
    if not kinds:
        known = [*KINDS, *(name for kind in KINDS.values() for name in registry.plugin_names(kind))]
        raise registry.unknown_name_error("kind or name", what, known, [*KINDS])
    found = [describe_plugin(kind, what) for _, kind in kinds]
    if as_json:
        click.echo(format_json({what: found}))
        return
    for each in found:
        for line in _lines(each):
            click.echo(line)


def _list_kinds(plurals: list[str], as_json: bool) -> None:
    """Prints the names of these kinds of plug-ins, each with its summary."""
    found = {
        plural: {
            name: registry.summary_of(KINDS[plural], name) for name in registry.plugin_names(KINDS[plural])
        }
        for plural in plurals
    }
    if as_json:
        click.echo(format_json(found))
        return
    for plural, entries in found.items():
        click.echo(click.style(plural, bold=True))
        for name, line in entries.items():
            for part in wrap_line(f"  {name:<26} {line}", output_width(), indent=29):
                click.echo(part)


def describe_plugin(kind: str, name: str) -> JsonObject:
    """Description of a plug-in: its summary, its paper, its options and, of an architecture, its presets."""
    from experiments.core.options import SLOTS, describe_options

    single = ("recipe" if name in registry.names("recipe") else "form") if kind == "loss" else kind
    summary = registry.summary_of(kind, name)
    slots = {each: slot for slot, each in SLOTS.items()}
    prefix = slots.get(single, name)
    options: list[dict[str, Any]] = []
    try:
        own = describe_options(single, name).options if single != "recipe" else {}
        paper = getattr(registry.load(single, name), "paper", "")
    except ImportError as error:  # of a part that is not installed
        raise UsageError(f"{kind} {name} cannot be loaded: {error}") from error
    for field in own.values():
        bounds = {key: value for key, value in field.metadata.items() if key in BOUNDS}
        options.append({"key": f"{prefix}.{field.name}", "default": field.default, **bounds})
        options[-1]["help"] = field.metadata.get("help", "")
        options[-1]["schedulable"] = field.metadata.get("is_schedulable", False)
    found = {"kind": kind, "name": name, "summary": summary, "paper": paper, "options": options}
    if kind == "architecture":
        found["presets"] = registry.load(kind, name).describe_presets()
    return found


BOUNDS = {
    "at_least": "at least",
    "above": "above",
    "below": "below",
    "at_most": "at most",
    "choices": "one of",
}


def _lines(found: JsonObject) -> list[str]:
    """Lines that describe a plug-in, for the width of the terminal."""
    width = output_width()
    first, *lines = wrap_line(f"{found['name']} ({found['kind']})  {found['summary']}", width, indent=2)
    lines = [click.style(found["name"], bold=True) + first.removeprefix(found["name"]), *lines]
    lines += wrap_line(f"  paper: {found['paper']}", width, indent=4) if found["paper"] else []
    for preset, line in found.get("presets", {}).items():
        lines += wrap_line(f"  --preset {preset:<17} {line}", width, indent=29)
    if not found["options"]:
        return [*lines, "  no options of its own"]
    for option in found["options"]:
        limits = [f"{word} {_text(option[key])}" for key, word in BOUNDS.items() if key in option]
        limits += ["may move by --schedule"] * option["schedulable"]
        default = f"default: {_text(option['default'])}"
        lines += wrap_line(f"  --set {option['key']}=…  ({'; '.join([default, *limits])})", width, indent=8)
        lines += wrap_line(f"      {option['help']}", width, indent=6)
    return lines


def _text(value: object) -> str:
    """Value of an option in words."""
    from experiments.core.value_format import format_value

    return format_value(value)
