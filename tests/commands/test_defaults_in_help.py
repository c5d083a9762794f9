"""Defaults in help texts: a fixed value as the table of settings has it, or who decides."""

import re
from collections.abc import Iterator

import click
import pytest

import cli
from experiments.config.precedence import flatten
from experiments.core import registry
from experiments.core.setting_defaults import DECIDED_BY, IN_WORDS, WHERE_USED
from experiments.core.settings import FIELDS, Settings, flag
from experiments.core.short_flags import SHORT_FLAGS
from losses.recipe import Defaults

COMMANDS = sorted(cli.gans.commands)
FIXED = sorted(
    {name for name, field in FIELDS.items() if not field.metadata["derived"]} - {*DECIDED_BY, *IN_WORDS}
)


def options_of(name: str) -> Iterator[click.Option]:
    """Options with a default: all but flags that are on where they are given, such as --dry-run."""
    for option in cli.gans.commands[name].params:
        if isinstance(option, click.Option) and not (option.is_flag and not option.secondary_opts):
            yield option


def help_of(name: str, option: click.Option) -> str:
    record = option.get_help_record(click.Context(cli.gans.commands[name], info_name=name))
    assert record
    return record[1]


def shown_default(word: str, command: str = "run") -> str:
    """The words in the brackets after the help of an option; nothing where there are none."""
    option = next(each for each in options_of(command) if word in each.opts)
    found = re.search(r"\[default: ([^;\]]+)(; [^]]*)?\]$", help_of(command, option))
    return found[1] if found else ""


@pytest.mark.parametrize("option", [*options_of("run")], ids=lambda option: option.name)
def test_every_option_of_a_run_tells_its_default(option: click.Option) -> None:
    assert "default: " in help_of("run", option)
    assert help_of("run", option).count("default: ") == 1


@pytest.mark.parametrize("name", FIXED)
def test_fixed_defaults_are_those_of_the_table(name: str) -> None:
    shown, value = shown_default(flag(name)), WHERE_USED.get(name, FIELDS[name].default)
    if isinstance(value, bool):
        assert shown == ("on" if value else "off")
    elif value in (None, ()):
        assert shown == "none"
    else:
        assert FIELDS[name].metadata["read"](shown) == value


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        *(("--seed", "0"), ("--device", "auto"), ("--precision", "fp32"), ("--deterministic", "on")),
        *(("--compile", "off"), ("--skip-bad", "off"), ("--on-collapse", "warn"), ("--preset", "auto")),
        *(("--arch", "dcgan"), ("--fit", "auto"), ("--holdout-seed", "0"), ("--track", "auto")),
        *(("--project", "gans"), ("--tags", "none"), ("--resume", "none"), ("--set", "none")),
        *(("--evaluate-samples", "5000"), ("--loss", "by the architecture"), ("--channels", "by the data")),
        ("--n-critic", "by the loss, architecture or preset, else 1"),
        ("--optimizer", "by the loss or architecture, else adam"),
        ("--critic-augment", "by the architecture or preset, else none"),
        ("--conditional", "by the preset, else off"),
        ("--kimg", "by the architecture or preset"),
    ],
)
def test_defaults_in_the_words_of_the_help(word: str, shown: str) -> None:
    assert shown_default(word) == shown


def test_whoever_sets_a_setting_is_named() -> None:
    """Recipes of losses and architectures, and their presets, change nothing that is shown as fixed."""
    shorts = {short.key: name for name, short in SHORT_FLAGS.items()}
    deciding = {key: {*deciders} for key, deciders in DECIDED_BY.items()}
    for name, words in IN_WORDS.items():
        deciding[name] = {who for who in ("loss", "architecture", "preset", "data") if who in words}
    for who, entry in _recipes():
        for key, _ in flatten("recipe", entry.values):
            name = shorts.get(key, key)
            if name in deciding or (name in FIELDS and not FIELDS[name].metadata["derived"]):
                assert who in deciding.get(name, ()), (name, who)


def _recipes() -> Iterator[tuple[str, Defaults]]:
    """Who brings defaults, and these."""
    for name in registry.built_in_names("loss"):
        for each in registry.load_recipe(name).settings:
            yield ("preset" if each.preset else "loss"), each
    for name in registry.built_in_names("architecture"):
        architecture = registry.load("architecture", name)
        for each in architecture.settings:
            yield ("preset" if each.preset else "architecture"), each
        for preset in architecture.presets.values():
            yield from (("preset", each) for each in preset.settings)


@pytest.mark.parametrize("command", COMMANDS)
def test_other_commands_show_their_fixed_defaults(command: str) -> None:
    for option in options_of(command):
        has_value = option.default is not None and option.to_info_dict()["default"] not in (None, "", ())
        if option.secondary_opts or (has_value and not option.required):
            assert "default: " in help_of(command, option), option.opts


def test_a_command_tells_its_own_default_where_it_is_not_that_of_a_run() -> None:
    assert shown_default("--image-size", "prepare") == "that of the data"
    assert shown_default("--image-size", "import") == "as published"
    assert shown_default("--kimg", "reproduce") == "that of the row"
    assert shown_default("--seed", "sweep") == str(Settings.seed)
    assert shown_default("--device", "sample") == Settings.device
    assert shown_default("--time", "plan") == shown_default("--evaluate", "sweep") == "on"
