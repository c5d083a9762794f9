"""Command `gans doctor`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.commands.completion import complete_file
from experiments.commands.options import debug_option, force_option, json_option, plugin_option
from experiments.core.console import format_json
from experiments.core.errors import UsageError

log = logging.getLogger("gans")

if TYPE_CHECKING:
    from experiments.analysis.doctor.finding import Finding
    from experiments.analysis.doctor.history import History
    from experiments.runs.folder import RunFolder

WATCH_SECONDS = 2.0  # between two looks at a run


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--watch", "watches", is_flag=True, help="Watch RUN and print new findings until it ends, or Ctrl-C."
)
@click.option(
    "--html",
    metavar="FILE.html",
    shell_complete=complete_file,
    help="Write a page with the findings, samples and curves, too.",
)
@force_option("Overwrite FILE.html where it exists.")
@plugin_option
@json_option
@debug_option
def doctor(run: Path, watches: bool, html: str | None, force: bool, as_json: bool, debug: bool) -> None:
    """Diagnose RUN: what is wrong, with numbers and the remedy. A diagnosis is a result: exit status 0.

    \b
    gans doctor runs/mine
    gans doctor runs/mine --json
    gans doctor runs/mine --html diagnosis.html
    """
    if watches and html:
        raise UsageError("--watch goes on, and --html is a page of one moment; leave out one of them")
    if watches and as_json:
        raise UsageError(
            "--watch says things as they happen, and --json is one object; leave out one of them"
        )
    from experiments.analysis.doctor.diagnosis import diagnose, history_of, watch
    from experiments.runs.folder import open_run

    folder = open_run(run)
    if watches:
        count = 0
        for history, found in watch(folder, WATCH_SECONDS):
            for finding in found:
                print_finding(finding, f"step {history.step:,}, {history.kimg:,.1f} kimg: ")
            count += len(found)
        log.info(f"nobody works on {run} any more: {summary(history.is_young, count)}")
        return
    history = history_of(folder)
    found = diagnose(history)
    if folder.is_imported:
        log.info(f"{run} holds imported weights, without a training to diagnose; gans evaluate scores them")
    elif not history.terms:
        log.info(f"{folder.scores_file} has no scores of training, so that only the settings are checked")
    if not history.is_young and not history.names("samples/"):
        log.info(f"{run} is of an older version, without the distances of its samples that show a collapse")
    if html:
        write_diagnosis(html, force, folder, history, found)
    if as_json:
        state = {"step": history.step, "kimg": history.kimg, "too_early": history.is_young}
        click.echo(format_json({"run": str(run), **state, "findings": [f.to_json() for f in found]}))
        return
    for finding in found:
        print_finding(finding)
    end = summary(history.is_young and not folder.is_imported, len(found))
    when = ", imported" if folder.is_imported else f" at step {history.step:,}, {history.kimg:,.1f} kimg"
    click.echo(f"{run}: {end}{when}")


def write_diagnosis(
    html: str, force: bool, folder: "RunFolder", history: "History", found: Sequence["Finding"]
) -> None:
    """Writes the page of a diagnosis."""
    from experiments.analysis.doctor.html_page import render_diagnosis
    from experiments.analysis.page.document import write_page
    from experiments.core.destinations import output_file

    with output_file("doctor", html, ".html", force=force, option="--html") as path:
        young = history.is_young and not folder.is_imported
        write_page(path, render_diagnosis(folder, history, found, summary(young, len(found))))


def print_finding(finding: "Finding", when: str = "") -> None:
    """Prints a finding with its evidence, remedy and source."""
    colour = "red" if finding.is_serious else "yellow"
    click.echo(when + click.style(finding.rule, bold=True, fg=colour))
    for name in ("evidence", "remedy", "source"):
        click.echo(f"  {name:<9} {getattr(finding, name)}")
    for command in finding.commands:
        click.echo(f"  try       {command}")


def summary(is_young: bool, count: int) -> str:
    """Summary of a diagnosis: the number of findings, or that it is too early."""
    if is_young:
        return "too early for the rules on losses" + (
            f"; {count} finding{'s' * (count > 1)}" if count else ""
        )
    return f"{count} finding{'s' * (count > 1)}" if count else "nothing wrong found"
