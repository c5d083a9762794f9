"""Command `gans info`: parse, call, print. Nothing heavy is imported at the top."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from experiments.commands.options import debug_option, json_option, plugin_option
from experiments.core.console import format_json

if TYPE_CHECKING:
    from experiments.runs.folder import RunFolder

MOST_LINES = 10  # of a part


@click.command()
@click.argument("path", metavar="RUN|FILE", type=click.Path(path_type=Path))
@plugin_option
@json_option
@debug_option
def info(path: Path, as_json: bool, debug: bool) -> None:
    """Tell what a run, a sweep, a checkpoint, a file of weights or a data set is, in a screenful.

    \b
    gans info runs/mine
    gans info runs/sweep-mine
    gans info photos.zip

    Of a run: its state, the settings that were chosen, its newest scores, pictures, and what to type next. Of
    a folder of runs: each in a line, with its kimg and newest score, and the settings that differ. Of
    images: their number, sizes and classes.
    """
    from experiments.analysis.description import describe_path, is_evaluated

    description = describe_path(path)
    rows = dict(description.rows)
    if description.run is not None and description.run.exists:
        rows["next"] = next_steps(description.run)
        if is_evaluated(description.run):
            rows["next"] = [each for each in rows["next"] if not each.startswith("gans evaluate ")]
    if as_json:
        click.echo(format_json({"path": str(path), **description.to_json(), **rows}))
        return
    click.echo(click.style(description.title, bold=True))
    width = max(map(len, rows), default=0)
    for name, lines in rows.items():
        left_out = len(lines) - MOST_LINES
        shown = [*lines[:MOST_LINES], *([f"… and {left_out} more: --json"] if left_out > 0 else [])]
        for number, line in enumerate(shown):
            click.echo(f"  {'' if number else name:{width}}  {line}")


def next_steps(folder: "RunFolder") -> list[str]:
    """Commands that come next for a run, by its state."""
    from experiments.training.longer import look_commands, next_commands

    path, settings = quote(str(folder.path)), folder.settings()
    if folder.state == "finished":
        return next_commands(folder, settings)
    if folder.state == "running":
        return [f"gans doctor {path} --watch"]
    if folder.is_imported:
        return [*look_commands(folder, settings), f"gans run --init-from {path} --data folder:DIR"]
    return [f"gans run --resume {path}", f"gans doctor {path}"]
