"""Command `gans sync`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.commands.options import debug_option, json_option
from experiments.core.console import format_json
from experiments.core.errors import RunError

log = logging.getLogger("gans")

if TYPE_CHECKING:
    from experiments.runs.wandb_upload import Upload


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUNS…", type=click.Path(path_type=Path))
@json_option
@debug_option
def sync(runs: tuple[Path, ...], as_json: bool, debug: bool) -> None:
    """Upload what W&B wrote offline into RUNS; a sweep's folder stands for all its runs.

    \b
    gans sync runs/mine
    gans sync runs/sweep-mine
    """
    from experiments.runs.wandb_upload import find_runs, select_offline_runs, upload

    done, failures = [], []
    for run in select_offline_runs(find_runs(list(runs))):
        try:
            done.append(upload(run))
        except RunError as error:
            failures.append(str(error))
            continue
        if not as_json:
            click.echo(_line(done[-1]))
    if as_json:
        uploads = [{**asdict(each), "run": str(each.run)} for each in done]
        click.echo(format_json({"runs": uploads, "failures": failures}))
    for failure in failures[:-1]:
        log.info(failure)
    if failures:
        raise RunError(failures[-1])


def _line(upload: "Upload") -> str:
    """Result of an upload as a line of text."""
    if not upload.parts:
        return f"{upload.run} was uploaded before"
    return f"{upload.run} {upload.parts} part{'s' * (upload.parts > 1)} uploaded {upload.url}".rstrip()
