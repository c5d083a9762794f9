"""Help texts: each is whole at 80 columns, and says the ranges and defaults that the readers have."""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

import cli
import experiments.commands
from experiments.commands.command_table import COMMANDS as HEADINGS
from experiments.commands.help_sections import SECTIONS
from experiments.config.scheduled_values import RANGES
from experiments.core import registry
from experiments.core.settings import FIELDS, SCHEDULABLE, Settings, flag
from experiments.core.short_flags import SHORT_FLAGS
from experiments.core.value_readers import WholeNumber, finite_number, whole_number
from metrics.extractors.core.resize import RULES

ROOT = Path(cli.__file__).parent
COMMANDS = sorted(cli.gans.commands)
READERS: dict[str, Any] = {name: field.metadata["read"] for name, field in FIELDS.items()}
READERS |= {name: short.read for name, short in SHORT_FLAGS.items()}
BOUNDED = sorted(
    name
    for name, read in READERS.items()
    if hasattr(read, "bounds") and (name in SHORT_FLAGS or not FIELDS[name].metadata["derived"])
)


def line_of(name: str, word: str) -> str:
    """The names, the metavar and the help of an option of a command."""
    command = cli.gans.commands[name]
    option = next(each for each in options_of(name) if word in each.opts)
    record = option.get_help_record(click.Context(command, info_name=name))
    assert record
    return " ".join(record)


def options_of(name: str) -> Iterator[click.Option]:
    yield from (each for each in cli.gans.commands[name].params if isinstance(each, click.Option))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_cuts_and_wraps_no_line(name: str) -> None:
    shown = cli.gans.get_help(click.Context(cli.gans, info_name="gans", terminal_width=80))
    line = next(line for line in shown.splitlines() if line.startswith(f"  {name} "))
    assert line.endswith(".") and not line.endswith("...")
    assert line.split(maxsplit=1)[1] == cli.gans.commands[name].short_help


@pytest.mark.parametrize("name", COMMANDS)
def test_numbers_have_a_word_and_a_range(name: str) -> None:
    for option in options_of(name):
        line = line_of(name, option.opts[0])
        assert " RANGE " not in line and "NUMBER" not in line, line
        if isinstance(option.type, click.IntRange | click.FloatRange) or getattr(option.type, "bounds", ""):
            assert "x" in line.rpartition("[")[2] and line.endswith("]"), line


@pytest.mark.parametrize("name", BOUNDED)
def test_the_range_of_a_setting_is_that_of_its_reader(name: str) -> None:
    """A number on each bound and just beyond it is taken or refused as the help says."""
    bounds = line_of("run", flag(name)).rpartition("[")[2].rstrip("]").rpartition("; ")[2]
    found = re.fullmatch(r"(?:([\d.]+)(<=?))?x(?:(<=?|>=?)([\d.]+))?", bounds)
    assert found, bounds
    low, low_sign, high_sign, high = found.groups()
    if high_sign and high_sign.startswith(">"):  # `x>=1`
        low, low_sign, high = high, high_sign, None
    step = 1 if isinstance(READERS[name], WholeNumber) else 1e-6
    for bound, sign, outwards in ((low, low_sign, -step), (high, high_sign, step)):
        if bound is not None:
            assert accepts(name, bound) == sign.endswith("="), bound
            assert not accepts(name, f"{float(bound) + outwards:.12g}"), bound
            assert accepts(name, f"{float(bound) - outwards:.12g}"), bound


def accepts(name: str, word: str) -> bool:
    """Whether a setting takes a word."""
    try:
        READERS[name](word)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("read", "bounds"),
    [
        (whole_number(1), "x>=1"),
        (whole_number(2, 1000), "2<=x<=1000"),
        (finite_number(), ""),
        (finite_number(above=0.0), "x>0"),
        (finite_number(at_least=0.0), "x>=0"),
        (finite_number(at_most=2.5), "x<=2.5"),
        (finite_number(at_least=0.0, below=1.0), "0<=x<1"),
        (finite_number(above=0.0, at_most=10.0), "0<x<=10"),
    ],
)
def test_bounds_are_written_as_click_writes_them(read: Any, bounds: str) -> None:
    assert read.bounds == bounds


def test_defaults_that_no_recipe_changes_are_shown() -> None:
    for name in ("run", "sweep"):
        assert f"[default: {Settings.evaluate_samples};" in line_of(name, "--evaluate-samples")
        assert f"[default: {Settings.keep};" in line_of(name, "--keep")


def test_words_of_a_choice_are_those_that_are_taken() -> None:
    for name in ("preset", "fit", "on_collapse", "evaluate_reference"):
        words = line_of("run", flag(name)).split()[1].split("|")
        assert len(words) > 1 and all(accepts(name, word) for word in words)
    assert line_of("run", "--preset").split()[1] == "auto|paper|laptop|NAME"


def test_schedules_name_what_moves() -> None:
    """Also in `gans find-lr`, which has no averages and moves the rates itself."""
    assert set(SCHEDULABLE) == set(RANGES)
    assert all(name in line_of("run", "--schedule") for name in SCHEDULABLE)
    named = {name for name in SCHEDULABLE if name in line_of("find-lr", "--schedule")}
    assert named == {"beta2", "penalty_weight", "critic_dropout"}


def test_resize_rules_are_those_that_there_are() -> None:
    line = line_of("fid", "--resize-rule")
    assert tuple(line.split()[1].split("|")) == RULES
    rules = {name: registry.load("extractor", name) for name in registry.names("extractor")}
    usual = {name: kind.default_rule for name, kind in rules.items() if hasattr(kind, "default_rule")}
    assert usual.pop("inception") == "tf1" and set(usual.values()) == {"clean"}, line


def test_a_sweep_says_what_its_own_flags_do() -> None:
    assert "First seed" in line_of("sweep", "--seed")
    for word in ("--evaluate-metrics", "--evaluate-samples", "--evaluate-reference", "--extractor"):
        assert "at the end of each run" in line_of("sweep", word)
        assert "at the end of each run" not in line_of("run", word)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_begins_with_examples_that_can_be_typed(name: str) -> None:
    help = cli.gans.commands[name].help
    assert help
    second = inspect.cleandoc(help).split("\n\n")[1]
    examples = second.removeprefix("\b\n").splitlines()
    assert 2 <= len(examples) <= 3 and any(line.startswith(f"gans {name} ") for line in examples), help
    for line in examples:
        program, command, *words = line.split("#")[0].split()
        assert program == "gans"
        cli.gans.commands[command].make_context(command, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_files_of_examples_are_named_by_the_number_that_they_hold(name: str) -> None:
    numbers = {"two": 2, "four": 4, "eight": 8, "nine": 9, "ten": 10, "sixteen": 16}
    for count, stem in re.findall(r"-n (\d+) .*--out (\w+)\.", cli.gans.commands[name].help or ""):
        assert numbers.get(stem, int(count)) == int(count)


def test_settings_stand_under_headings_once() -> None:
    names = [name for own in SECTIONS.values() for name in own]
    known = [name for name, field in FIELDS.items() if not field.metadata["derived"]]
    assert sorted(names) == sorted([*known, *SHORT_FLAGS])
    shown = help_of("run")
    for title, own in SECTIONS.items():
        part = shown.split(f"\n{title}:\n")[1].split("\n\n")[0]
        assert all(re.search(rf"^  {flag(name)}\b", part, re.M) for name in own), title


def test_other_commands_refer_to_the_help_of_run() -> None:
    for name in ("sweep", "find-lr", "plan"):
        shown = help_of(name)
        assert "--penalty-weight" not in shown and "gans run --help" in shown
        assert len(shown.splitlines()) < len(help_of("run").splitlines()) / 2
        assert any("--penalty-weight" in option.opts for option in options_of(name))
    assert re.search(r"^  --seed N +First seed; the others", help_of("sweep"), re.M)  # is not that of run


def test_every_command_stands_under_one_heading() -> None:
    defined = set()
    for module in sorted(Path(experiments.commands.__path__[0]).glob("[a-z]*.py")):
        values = vars(import_module(f"experiments.commands.{module.stem}")).values()
        defined |= {each.name for each in values if isinstance(each, click.Command)}
    assert sorted(name for own in HEADINGS.values() for name in own) == sorted(defined)


def test_the_list_of_commands_imports_none() -> None:
    """Nor do the names of commands at Tab: PyTorch and 30 modules would be awaited for nothing."""
    words = "; ".join(
        (
            "import sys, click, cli",
            "cli.gans.main(['--help'], standalone_mode=False)",
            "print([each.value for each in cli.gans.shell_complete(click.Context(cli.gans), 're')])",
            "print(sorted(name for name in sys.modules if name.startswith('experiments.commands.')))",
        )
    )
    shown = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    completed, imported = shown.stdout.splitlines()[-2:]
    assert completed == "['report', 'reproduce']"
    own = ("command_table", "shell_scripts")
    assert imported == str([f"experiments.commands.{name}" for name in own])


@pytest.mark.parametrize("name", COMMANDS)
def test_short_help_is_short(name: str) -> None:
    short = cli.gans.commands[name].short_help
    assert short and len(short) <= 45


def help_of(name: str) -> str:
    command = cli.gans.commands[name]
    return command.get_help(click.Context(command, info_name=name, terminal_width=80))
