"""Command `gans run`: parse, call, print. Nothing heavy is imported at the top."""

import logging
import sys
from pathlib import Path
from shlex import quote
from typing import Any

import click

from experiments.commands.options import (
    RunCommand,
    WordOption,
    collect_settings,
    config_option,
    debug_option,
    settings_options,
)
from experiments.core.errors import UsageError
from experiments.core.setting_defaults import describe_value

log = logging.getLogger("gans")


@click.command(cls=RunCommand)
@settings_options()
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder; default: runs/….")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    cls=WordOption,
    known_default=describe_value(None),
    help="Continue the run in DIR. A larger --kimg or --steps, counted from the run's start, trains it "
    "longer; schedules keep their old length and then their last value.",
)
@click.option(
    "--restretch",
    is_flag=True,
    help="With --resume: stretch all schedules (learning rates, annealing, growth, fading noise) over the "
    "new length; their values jump at the step resumed from.",
)
@config_option
@click.option(
    "--dry-run", is_flag=True, help="Print every setting and its source, sizes and memory, without training."
)
@click.option("--force", is_flag=True, help="Continue a run although settings differ.")
@debug_option
def run(
    out: Path | None,
    resume: Path | None,
    restretch: bool,
    config: Path | None,
    dry_run: bool,
    force: bool,
    debug: bool,
    **flags: Any,
) -> None:
    """Train a generator and a critic (also called discriminator).

    \b
    gans run --arch dcgan --loss wgan-gp
    gans run --arch stylegan2 --data folder:photos --image-size 64
    gans run --resume runs/mine --kimg 400

    The same command again resumes an interrupted run; --resume RUN --kimg MORE trains one longer.
    """
    if out is not None and resume is not None:
        raise UsageError("--out and --resume exclude each other; --resume DIR continues in DIR")
    if resume is not None and config is not None:
        raise UsageError("--config and --resume exclude each other; a run has its own config")
    if restretch and resume is None:
        raise UsageError("--restretch has no meaning without --resume; a new run has schedules of its length")
    from experiments.config.files import check_same_recipe, read_config
    from experiments.core.processes import from_first
    from experiments.runs.folder import RunFolder, choose_folder, open_run
    from experiments.runs.initial_settings import resolve_run
    from experiments.runs.resume import resolve_resumed_run

    asked, strengths = collect_settings(flags)
    if resume is not None:
        resolved = resolve_resumed_run(open_run(resume), asked, strengths, restretch)
    else:
        values = read_config(config) if config else {}
        check_same_recipe(values, asked)
        into = RunFolder(out) if out else None
        resolved = resolve_run(asked, values, str(config or ""), strengths, into)
    if dry_run:
        from experiments.training.fine_tuning import check_initial_weights
        from experiments.training.plan.report import describe_dry_run

        if resume is None:
            check_initial_weights(resolved.settings)
        click.echo(describe_dry_run(resolved))
        return
    target = resume or out
    folder = RunFolder(target) if target else from_first(lambda: choose_folder(resolved.settings))
    from experiments.training.longer import next_commands
    from experiments.training.run import run as start
    from experiments.training.trainer import Interrupted

    chosen = resolved.settings
    log.info(
        f"gans run --arch {chosen.arch} --loss {chosen.loss} --data {quote(chosen.data)} "
        f"--preset {chosen.preset} on {chosen.device} in {folder.path}"
    )
    try:
        start(resolved, folder, force, resumes=resume is not None)
    except Interrupted:
        sys.exit(130)
    for command in next_commands(folder, resolved.settings):
        log.info(f"next: {command}")
    click.echo(folder.path)
