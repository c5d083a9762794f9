"""Command `gans run`: parse, call, print. Nothing heavy is imported at the top."""

import logging
import sys
from pathlib import Path
from typing import Any

import click

from experiments.commands.options import OptionsCommand, collect_settings, debug_option, settings_options
from experiments.core.errors import UsageError

log = logging.getLogger("gans")


@click.command(cls=OptionsCommand)
@settings_options()
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder; default: runs/….")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Continue the run in DIR.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings from a JSON, YAML or TOML file.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print every setting and its source, sizes and memory, without training."
)
@click.option("--force", is_flag=True, help="Continue a run although settings differ.")
@debug_option
def run(
    out: Path | None,
    resume: Path | None,
    config: Path | None,
    dry_run: bool,
    force: bool,
    debug: bool,
    **flags: Any,
) -> None:
    """Train a generator and a critic (also called discriminator).

    The same command again resumes an interrupted run.
    """
    if out is not None and resume is not None:
        raise UsageError("--out and --resume exclude each other; --resume DIR continues in DIR")
    if resume is not None and config is not None:
        raise UsageError("--config and --resume exclude each other; a run has its own config")
    from experiments.config.files import check_same_recipe, read_config
    from experiments.config.resolve import resolve
    from experiments.runs.folder import RunFolder, choose_folder, open_run

    asked, strengths = collect_settings(flags)
    file = open_run(resume).config_file if resume is not None else config
    values = RunFolder(resume).config_values() if resume else read_config(file) if file else {}
    if file is not None:
        check_same_recipe(values, asked)
    resolved = resolve(asked, values, str(file or ""), strengths)
    if dry_run:
        from experiments.training.memory_estimate import describe_plan

        click.echo(describe_plan(resolved))
        return
    target = resume or out
    folder = RunFolder(target) if target else choose_folder(resolved.settings)
    from experiments.training.run import run as start
    from experiments.training.trainer import Interrupted

    log.info(
        f"gans run --arch {resolved.settings.arch} --loss {resolved.settings.loss} "
        f"--data {resolved.settings.data} --preset {resolved.settings.preset} on {resolved.settings.device} "
        f"in {folder.path}"
    )
    try:
        start(resolved, folder, force)
    except Interrupted:
        sys.exit(130)
    click.echo(folder.path)
