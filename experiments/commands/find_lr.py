"""Command `gans find-lr`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.options import (
    OptionsCommand,
    collect_settings,
    debug_option,
    json_option,
    out_option,
    settings_options,
)
from experiments.core.console import format_json
from experiments.core.errors import UsageError
from experiments.core.settings import SCHEDULABLE, describe_schedule

log = logging.getLogger("gans")

if TYPE_CHECKING:
    from experiments.training.lr_finder import RangeTest

RATE = click.FloatRange(0, 10, min_open=True)
FEWEST_ROUNDS = 50
# Settings of a run's length, of its rates over time, and of its files: here they are given.
LEFT_OUT = (
    *("steps", "kimg", "lr_schedule", "lr_decay_from", "lr_warmup_kimg", "ema_kimg", "critic_ema_kimg"),
    *("checkpoint_kimg", "sample_kimg", "on_collapse", "keep", "track", "project", "group", "tags"),
    *(
        "evaluate_kimg",
        "evaluate_metrics",
        "evaluate_samples",
        "evaluate_reference",
        "extractor",
        "best_metric",
    ),
)
# What may move during a test: not the rates, which the test itself moves, nor what is left out.
MOVING = [name for name in SCHEDULABLE if name not in (*LEFT_OUT, "lr_generator", "lr_critic")]


@click.command("find-lr", cls=OptionsCommand)
@settings_options(*LEFT_OUT, helps={"schedule": describe_schedule(MOVING)})
@click.option(
    "--from",
    "lowest",
    type=RATE,
    metavar="RATE",
    default=1e-6,
    show_default=True,
    help="Lowest learning rate.",
)
@click.option(
    "--to",
    "highest",
    type=RATE,
    metavar="RATE",
    default=1.0,
    show_default=True,
    help="Highest learning rate.",
)
@click.option(
    "--steps",
    type=click.IntRange(FEWEST_ROUNDS),
    metavar="N",
    default=300,
    show_default=True,
    help="Steps of each player's test (generator updates).",
)
@out_option("FILE.png", "Picture of both tests to write.")
@json_option
@debug_option
def find_lr(
    lowest: float,
    highest: float,
    steps: int,
    out: str,
    force: bool,
    as_json: bool,
    debug: bool,
    **flags: Any,
) -> None:
    """Suggest learning rates of generator and critic, by a range test of each.

    \b
    gans find-lr --arch dcgan --loss hinge --out rates.png
    gans find-lr --arch resnet --data folder:photos --from 1e-5 --out rates.png

    One player's rate rises while the other's stays as it is set. Suggested is a tenth of the rate at which
    training becomes unstable, and at most three times the set rate: it is an upper bound, as a long run may
    become unstable at lower rates. Nothing is suggested where the test gives too little evidence. With
    --init-from both tests begin from those weights.
    """
    if lowest >= highest:
        raise UsageError(f"--from {lowest:g} must be below --to {highest:g}")
    from experiments.core.destinations import output_file
    from experiments.core.images import write_picture
    from experiments.core.word_lists import describe_count
    from experiments.runs.initial_settings import resolve_run
    from experiments.training.fine_tuning import check_initial_weights
    from experiments.training.lr_finder import PLAYERS, range_test
    from experiments.training.lr_plot import plot

    asked, strengths = collect_settings(flags)
    with output_file("find-lr", out, ".png", force=force) as file:
        config = resolve_run({**asked, "steps": steps, "track": ("local",)}, strengths=strengths)
        check_initial_weights(config.settings)
        tests = []
        for player in PLAYERS:
            log.info(f"{player}: {describe_count(steps, 'step')}, from {lowest:g} to {highest:g}")
            tests.append(range_test(config, player, lowest, highest))
        write_picture(file, plot(tests))
    if as_json:
        click.echo(format_json({"picture": out, **{test.player: _numbers(test) for test in tests}}))
        return
    for test in tests:
        click.echo(_line(test))
    log.info(f"drawn: {out}")


def _numbers(test: "RangeTest") -> dict[str, float | str | None]:
    """Result of a range test as numbers for JSON, with the reason where nothing, or less, is suggested."""
    from experiments.training.lr_suggestion import suggest

    found = suggest(test)
    numbers = {"suggestion": found.rate, "unstable_at": test.limit, "set": test.usual}
    return {**numbers, "reason": found.reason or None, "remedy": found.remedy or None}


def _line(test: "RangeTest") -> str:
    """Result of a range test as a line of text."""
    from experiments.training.lr_suggestion import suggest

    flag, found = f"--lr-{test.player}", suggest(test)
    if found.rate is None:
        return f"{flag}: no suggestion, {found.reason}; give {found.remedy} (set is {test.usual:g})"
    why = f"; {found.reason}" if found.reason else ""
    return f"{flag} {found.rate:.2g}  (loses stability at {test.limit:.2g}; set is {test.usual:g}{why})"
