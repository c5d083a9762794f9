"""Finds the commands, flags and options that messages name, and types them into the real command line.

Texts are the string literals of the source, docstrings and help texts included. What stands in braces in an
f-string is a hole; it and words in capitals (RUN, NAME) are filled by examples.
"""

import ast
import re
from collections.abc import Iterator
from itertools import count, product
from pathlib import Path
from typing import Any, NamedTuple

import click

import cli
from experiments.core import registry
from experiments.core.console import describe_error
from experiments.core.errors import UsageError
from experiments.core.options import NAMED, SLOTS, describe_options, plugins_in, split_key

ROOT = Path(__file__).parents[2]
ROOMS = ("gans", "losses", "metrics", "experiments")
HOLE = "⟦⟧"
# Values by flag, for placeholders and holes. A flag that is not here takes the metavar's usual meaning.
EXAMPLES = {
    "--arch": "dcgan",
    "--augment": "flip",
    "--batch-size": "8",
    "--critic-augment": "ada",
    "--critic-norm": "layer",
    "--data": "shapes",
    "--data-root": ".",
    "--device": "cpu",
    "--extractor": "random-vgg",
    "--format": "nvlabs",
    "--holdout": "0.1",
    "--image-size": "32",
    "--kimg": "1",
    "--label": "0",
    "--loss": "bce",
    "--noise-mode": "const",
    "--lr-schedule": "linear",
    "--metrics": "fid",
    "--minibatch-statistic": "none",
    "--frames": "60",
    "--halving": "asynchronous",
    "--name": "mine",
    "--stage-batch-sizes": "4:8",
    "--optimizer": "adam",
    "--out": "x.png",
    "--penalty": "real",
    "--penalty-norm": "one",
    "--plus": "1",
    "--minus": "1",
    "--preset": "laptop",
    "--protocol": "fid50k-full",
    "--random": "3",
    "--reference": "both",
    "--resume": "run",
    "--search": "tpe",
    "--schedule": "penalty_weight=cosine:10:1",
    "--seed": "1",
    "--seeds": "1",
    "--to": "B",
    "--track": "local",
    "--weights": "weights.pth",
    "--channels": "3",
    "--style-mixing": "0.5",
    "-n": "5",
}
# Flags whose values are names of plug-ins of a kind.
KINDS = {
    "--arch": "architecture",
    "--augment": "augmentation",
    "--critic-norm": "norm",
    "--data": "data",
    "--extractor": "extractor",
    "--loss": "loss",
    "--lr-schedule": "schedule",
    "--metrics": "metric",
    "--minibatch-statistic": "batch-statistic",
    "--optimizer": "optimizer",
    "--penalty": "penalty",
    "--penalty-norm": "penalty-norm",
    "--track": "tracker",
}
FLAGS_OF = {"length_flag": "--kimg 1"}  # functions that give a flag with its value, by what they may give
NOT_PLUGINS = {"none", "auto"}  # values that take the place of a name
# Words after a flag or a command that are no value of it: the sentence goes on.
WORDS = """
a above add after alone also and anew are as ask asks at be beside both by can chooses computes did do
does draws each ends exclude first for from give gives goes has have if in instead into is it its keep
leave lists makes may means named names narrows needs no not of offers on one only or read says scores
see so stands stop takes than that the then they this to trains until warn what where which with without
writes
"""
PROSE = frozenset(WORDS.split())
# Flags of other programs that are named.
ABOUT_RUNS = "experiments/commands/list.py"  # tells which flags of other commands there are
FOREIGN = {"--backend-store-uri", "--include-online", "--host", "--head", "--nproc-per-node", "--standalone"}


class Text(NamedTuple):
    """A string literal with holes, and where it stands."""

    words: str
    place: str


def texts() -> Iterator[Text]:
    """All string literals of the rooms."""
    files = [ROOT / "cli.py", *(file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")))]
    for file in files:
        for line, words in literals(ast.parse(file.read_text(encoding="utf-8"))):
            yield Text(words, f"{file.relative_to(ROOT)}:{line}")


def literals(node: ast.AST) -> Iterator[tuple[int, str]]:
    """String literals below a node, with their lines; sums of strings are one."""
    if (words := literal(node)) is not None:
        for paragraph in re.split(r"\n\s*\n", words):
            yield node.lineno, " ".join(paragraph.split())  # type: ignore[attr-defined]
        parts = [each for each in ast.walk(node) if isinstance(each, ast.FormattedValue | ast.IfExp)]
        for part in parts:  # literals within the holes
            for child in ast.iter_child_nodes(part):
                yield from literals(child)
        return
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def literal(node: ast.AST) -> str | None:
    """The words of a string literal, or of a sum that begins or ends with one; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            literal(each) if isinstance(each, ast.Constant) else hole(each) for each in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = literal(node.left), literal(node.right)
        return None if left is None and right is None else (left or HOLE) + (right or HOLE)
    return None


def hole(node: ast.AST) -> str:
    """Word for a hole of an f-string: a flag where a function of `FLAGS_OF` fills it."""
    call = node.value if isinstance(node, ast.FormattedValue) else None
    name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
    return FLAGS_OF.get(name, HOLE)


def faults(words: str, place: str = "") -> list[str]:
    """What is wrong with the advice in a text: commands, flags, values and options that are not there.

    Flags in the file of a command must be that command's own; those of other texts must be some command's.
    """
    module = place.partition(".py")[0].replace("/", ".")
    commands = list(cli.gans.commands.values())
    own = [each for each in commands if getattr(each.callback, "__module__", "") == module]
    commands = own if own and not place.startswith(ABOUT_RUNS) else commands
    words = words.replace("`", " ; ")
    found, rest = [], words
    for match in re.finditer(r"\bgans ([a-z][a-z-]*\b)(?=(.*))", words):
        name = match[1]
        for end in command_faults(name, match[2], found):
            rest = rest.replace(f"gans {name}{end}", " ", 1)
    flags = re.finditer(r"(?<![\w⟦⟧-])--([a-z][a-z0-9-]*\b)(?!-?⟦|-|\.\w)(=| )?([^ ;()'\"]*)", rest)
    for match in flags:
        found += flag_faults(commands, f"--{match[1]}", match[3] if match[2] else "")
    return found


def command_faults(name: str, tail: str, found: list[str]) -> Iterator[str]:
    """Types a command with what follows it; yields the part of the tail that belongs to it."""
    command = cli.gans.commands.get(name)
    if command is None:
        if name not in PROSE:
            found.append(f"there is no command gans {name}; where this is prose, add '{name}' to PROSE")
        return
    arguments, used = [], ""
    options = [each for each in command.params if isinstance(each, click.Option)]
    flags = {flag: each for each in options for flag in (*each.opts, *each.secondary_opts)}
    words = re.findall(r" +[^ ]+", tail.partition(";")[0]) if tail.startswith(" ") else []
    while words:
        word = words[0].strip()
        bare = word.rstrip(".,:)")
        option = flags.get(bare)
        if option is not None and not option.is_flag:
            used += words.pop(0)
            if not words:
                found.append(f"gans {name} {bare}: a value is missing")
                return
            value = words[0].strip().rstrip(".,:)")
            arguments += [bare, example(bare, value)]
        elif option is not None:
            arguments.append(bare)
        elif bare == "…":
            break
        elif bare == "--help":
            pass
        elif bare.startswith("-"):
            found.append(f"gans {name} has no {bare}")
        elif is_placeholder(bare) or "/" in bare or re.search(r"\.[a-z]+$", bare):
            arguments.append("run")
        else:
            break
        used += words.pop(0)
        if word != bare:
            break
    if arguments:
        found += typing_faults(command, name, arguments)
    yield used


def typing_faults(command: click.Command, name: str, arguments: list[str]) -> list[str]:
    """Lets the real command read arguments, without running it."""
    try:
        command.make_context(name, list(arguments))
    except (click.ClickException, UsageError) as error:
        return [f"gans {name} {' '.join(arguments)}: {describe_error(error)}"]
    return []


def is_placeholder(word: str) -> bool:
    """Whether a word stands for others: RUN, NAME,…, a hole."""
    return HOLE in word or re.fullmatch(r"[A-Z][A-Z0-9.,…|=:a-z_]*", word) is not None or word == "…"


def example(flag: str, value: str) -> str:
    """A value that may be typed after a flag, for a placeholder or hole; others are typed as they are."""
    return EXAMPLES.get(flag, "1") if is_placeholder(value) else value


def flag_faults(commands: list[click.Command], flag: str, value: str) -> list[str]:
    """What is wrong with a flag that is named outside a command, and with its value."""
    if flag in (*FOREIGN, "--help"):
        return []
    if flag == "--set":
        return option_faults(value)
    options = [
        option
        for command in commands
        for option in command.params
        if isinstance(option, click.Option) and flag in (*option.opts, *option.secondary_opts)
    ]
    if not options:
        return [f"no command has {flag}" if len(commands) > 9 else f"{commands[0].name} has no {flag}"]
    value = value.rstrip(".,:…")
    if flag == "--schedule" and "=" not in value:  # a key, whose values move
        return []
    if all(option.is_flag for option in options) or not value or value in PROSE:
        return []
    values = [example(flag, value), "1"] if is_placeholder(value) else [value]
    value = values[0]
    kind = KINDS.get(flag)
    names = {part.partition("=")[0].partition(":")[0] for part in value.split(",")}
    if kind and not names <= {*registry.plugin_names(kind), *NOT_PLUGINS}:
        return [f"{flag} {value}: there is no such {kind}; where it is prose, add the word to PROSE"]
    errors = [conversion_fault(option, each) for option in options for each in values]
    return [] if None in errors else [f"{flag} {value}: {errors[0]}"]


def conversion_fault(option: click.Option, value: str) -> str | None:
    """What an option says against a value; None where it takes it."""
    try:
        option.type.convert(value, option, None)
    except (click.ClickException, UsageError) as error:
        return describe_error(error)
    return None


def option_faults(word: str) -> list[str]:
    """What is wrong with `KEY=VALUE` after `--set`."""
    key, _, value = word.rstrip(".,:").partition("=")
    if HOLE in key or is_placeholder(key) or "." not in key or value.rstrip(".").startswith("…"):
        key = key if "." in key and HOLE not in key else ""
        value = ""
    if not key or key.startswith(("COMPONENT", "NAME")):
        return []
    readers = list(readers_of(key))
    if not readers:
        return [f"--set {key}: no component has that option"]
    if not value or (HOLE not in value and is_placeholder(value)):
        return []
    errors = []
    for read, first in product(readers, (2, 20)):
        numbers = count(first)
        try:
            read(re.sub(HOLE, lambda _, numbers=numbers: str(next(numbers)), value))
            return []
        except ValueError as error:
            errors.append(str(error))
    return [f"--set {key}={value}: {errors[0]}"]


def readers_of(key: str) -> Iterator[Any]:
    """Readers of all options with that key, of whichever component."""
    prefix, name = split_key(key)
    kinds = [(SLOTS[prefix], each) for each in plugins_in(SLOTS[prefix])] if prefix in SLOTS else []
    kinds += [(kind, prefix) for kind in NAMED if prefix in registry.names(kind)]
    for kind, plugin in kinds:
        readers = describe_options(kind, plugin).readers
        if name in readers:
            yield readers[name]
