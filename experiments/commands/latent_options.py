"""Options that the commands of the latent tools have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from experiments.commands.options import (
    WordOption,
    WordType,
    debug_option,
    device_option,
    label_option,
    plugin_option,
)
from experiments.core.named_values import SettingValues
from experiments.core.value_readers import Read, finite_number, whole_number


def whole_number_reader(what: str) -> Read:
    """Makes a reader of one or more whole numbers of 0 or more, separated by commas."""

    def read(value: object) -> tuple[int, ...]:
        parts = str(value).split(",")
        for part in parts:
            if not (part.isascii() and part.isdecimal() and len(part) <= 40):
                raise ValueError(
                    f"'{part}' is not {what}: give whole numbers of 0 or more, such as 3 or 3,5,8"
                )
        return tuple(map(int, parts))

    return read


SEEDS = WordType("SEEDS", whole_number_reader("a seed"))
DIMS = WordType("DIMS", whole_number_reader("a dimension"))
RANGE = WordType("NUMBER", finite_number(above=0.0, at_most=1000.0))
STEPS = WordType("NUMBER", whole_number(2, 1000))


def generator_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds RUN and the options that every latent tool takes: --device, --label, --plugin and --debug."""
    for option in (
        debug_option,
        plugin_option,
        label_option("Class label, of a conditional generator."),
        device_option,
        click.argument("run", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def reach_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `--range`."""
    help_line = "Reach to either side, in standard deviations."
    return click.option(
        "--range",
        "reach",
        cls=WordOption,
        type=RANGE,
        metavar="STD",
        default=3.0,
        show_default=True,
        help=help_line,
    )(command)


def open_latent_space(flags: SettingValues) -> Any:
    """Opens the latent space of the generator that the flags name."""
    from experiments.inference.latent_space import open_space

    return open_space(flags["run"], flags["device"], flags["label"])
