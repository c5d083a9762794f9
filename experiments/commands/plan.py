"""Command `gans plan`: parse, call, print. Nothing heavy is imported at the top."""

from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import click

from experiments.commands.options import (
    OptionsCommand,
    WordOption,
    collect_settings,
    config_option,
    debug_option,
    json_option,
    settings_options,
)
from experiments.core.console import format_json
from experiments.core.errors import UsageError


@click.command(cls=OptionsCommand)
@settings_options()
@config_option
@click.option(
    "--gpus",
    type=click.IntRange(1, 4096),
    metavar="N",
    default=1,
    show_default=True,
    help="Processes that share each batch, one for each GPU.",
)
@click.option(
    "--memory",
    metavar="AMOUNT",
    help="Memory of each process, such as 12G: tells the largest batch, micro-batch and image size that fit.",
)
@click.option(
    "--hours",
    type=click.FloatRange(0, 1e6, min_open=True),
    metavar="H",
    help="Hours that the run may take: tells whether it ends within them, and the kimg that do.",
)
@click.option(
    "--difference",
    metavar="SHARE%",
    help="Difference of scores between two settings, such as 5%: tells how many seeds find it.",
)
@click.option(
    "--spread",
    metavar="SHARE%",
    help="With --difference: standard deviation of scores between seeds; default: 5.6%, as in "
    "docs/comparison.md.",
)
@click.option(
    "--time/--no-time",
    "is_timed",
    default=True,
    cls=WordOption,
    help="Train some steps on a copy to time them, about a minute at most; --no-time tells sizes alone.",
)
@json_option
@debug_option
def plan(
    config: Path | None,
    gpus: int,
    memory: str | None,
    hours: float | None,
    difference: str | None,
    spread: str | None,
    is_timed: bool,
    as_json: bool,
    debug: bool,
    **flags: Any,
) -> None:
    """Tell what a run will need, before it runs: memory, operations, time, disk and network.

    \b
    gans plan --arch stylegan2 --image-size 128 --preset paper --memory 12G
    gans plan --arch dcgan --hours 2 --no-time

    Takes the flags of gans run. Nothing is written.
    """
    if spread is not None and difference is None:
        raise UsageError("--spread has no meaning without --difference; add --difference 5%")
    if hours is not None and isfinite(hours) and not is_timed:
        raise UsageError("--hours and --no-time exclude each other; leave out --no-time")
    from experiments.config.files import check_same_recipe, read_config
    from experiments.runs.initial_settings import resolve_run
    from experiments.training.fine_tuning import check_initial_weights
    from experiments.training.plan.plan import make_plan, read_request
    from experiments.training.plan.report import describe, to_json

    request = replace(read_request(gpus, memory, hours, difference, spread), is_timed=is_timed)
    asked, strengths = collect_settings(flags)
    values = read_config(config) if config else {}
    check_same_recipe(values, asked)
    resolved = resolve_run(asked, values, str(config or ""), strengths)
    check_initial_weights(resolved.settings)
    found = make_plan(resolved, request)
    if as_json:
        click.echo(format_json(to_json(found)))
        return
    for line in describe(found):
        click.echo(line)
