"""Reference pages: every command from its definition, and the Python API from its docstrings."""

import textwrap
from collections.abc import Iterator

import click
from markdown_pages import code, table

import cli
import gans
from experiments.commands.command_table import COMMANDS
from experiments.commands.help_sections import OWN, REFERENCE, REFERRED, SECTIONS, records_by_section
from experiments.commands.options import OptionsCommand


def command_page(name: str) -> str:
    """Writes the page of a command: examples, what it does, and its options by section."""
    command = cli.gans.commands[name]
    context = click.Context(command, info_name=f"gans {name}", parent=None)
    usage = " ".join(["gans", name, *command.collect_usage_pieces(context)])
    parts = [f"# gans {name}", code(usage)]
    parts += _paragraphs(command)
    for title, rows in _options(command, context):
        parts += [f"## {title}", table(("option", ""), rows)]
    if isinstance(command, OptionsCommand) and not command.lists_settings:
        parts += [f"## {REFERRED}", REFERENCE.replace("gans run --help", "[gans run](run.md)")]
    return "\n\n".join(parts)


def _paragraphs(command: click.Command) -> Iterator[str]:
    """Paragraphs of a command's help; those that click leaves as they are become blocks of code."""
    text = textwrap.dedent(command.help or "").split("\f")[0]
    for block in text.strip().split("\n\n"):
        first, _, rest = block.partition("\n")
        yield code(textwrap.dedent(rest)) if first.strip() == "\b" else " ".join(block.split())


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Options of a command by heading, in the order of the help."""
    found = records_by_section(command, context)
    lists_settings = isinstance(command, OptionsCommand) and command.lists_settings
    for title in (OWN, *(SECTIONS if lists_settings else ())):
        if title in found:
            yield title, [(f"`{flags}`", words) for flags, words in found[title]]


def command_index() -> str:
    """Writes the list of all commands, grouped as in `gans --help`."""
    parts = ["# Commands", "`gans COMMAND --help` says the same in the terminal."]
    for title, lines in COMMANDS.items():
        rows = [(f"[gans {name}]({name}.md)", line) for name, line in lines.items()]
        parts += [f"## {title}", table(("", ""), rows)]
    return "\n\n".join(parts)


def python_page() -> str:
    """Writes the page of the Python API, whose entries are read from the sources when the site is built."""
    example = "The [notebook](notebook.md) trains, looks at, scores and compares two losses with these."
    parts = ["# Python", f"{(gans.__doc__ or '').strip()}", example]
    for name in gans.__all__:
        module, _, own = gans.OFFERED[name].partition(":")
        options = f"heading: gans.{name}\n      toc_label: gans.{name}"
        parts.append(f"::: {module}.{own or name}\n    options:\n      {options}")
    return "\n\n".join(parts)
