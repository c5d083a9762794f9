"""Command `gans audit`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from experiments.commands.completion import complete_file, files_or
from experiments.commands.extraction_options import add_extraction_options, read_extractor_options
from experiments.commands.options import check_options, read_options, setting_option
from experiments.core.console import format_json, progress_bars

log = logging.getLogger("gans")


@click.command()
@click.argument("run", shell_complete=files_or())
@click.option(
    "--out",
    metavar="FILE.png",
    shell_complete=complete_file,
    help="Picture of the closest pairs; default: in plots/ of the run.",
)
@click.option("--force", is_flag=True, help="Write over what is there already.")
@setting_option("skip_bad")
@setting_option("data_root")
@add_extraction_options("Largest number of training images; default: 50,000.", "extractor")
def audit(run: str, out: str | None, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Look for copies of training images, and for lost modes, in the samples of RUN.

    \b
    gans audit runs/mine
    gans audit runs/mine --extractor random-vgg --json

    RUN is a run folder, or a checkpoint in one, whose data has held-out images (of its own, or by `gans run
    --holdout 0.1`); an exported generator alone does not say what it was trained on. Known shares of copies
    are planted among these first, exact, mirrored, with noise or shifted, and classes are dropped: the table
    says the smallest share that each statistic would have found. The 24 samples nearest to a training image
    are drawn beside it.
    """
    from experiments.core.destinations import output_file
    from experiments.core.files import refuse_link
    from experiments.core.images import save_png
    from experiments.evaluation.audit.audit import audit as audit_generator
    from experiments.evaluation.audit.audit import picture_of
    from experiments.evaluation.candidates import open_candidate

    given = read_options(flags["options"])
    check_options(given, "extractor")
    options = read_extractor_options(flags, given)
    candidate = open_candidate(run).with_access(flags)
    candidate.require_data()
    folder = candidate.trained_data.folder
    if out is None:
        refuse_link(folder.path / "plots")
    destination = nullcontext() if out is None else output_file("audit", out, ".png", force=force)
    with destination, progress_bars() as meter:
        report, picture = audit_generator(candidate, options, flags["count"], flags["seed"], meter)
        file = picture_of(folder.path, candidate.step) if out is None else Path(out)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_png(picture, file)
    if as_json:
        click.echo(format_json({**report.to_json(), "picture": str(file)}))
        return
    for line in report.lines():
        click.echo(line)
    log.info(f"drawn: {file}")
