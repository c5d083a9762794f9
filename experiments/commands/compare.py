"""Commands `gans compare` and `gans report`: parse, call, print. Nothing heavy is imported at the top."""

import logging

import click

from experiments.commands.completion import complete_file, files_or
from experiments.commands.options import debug_option, force_option, json_option
from experiments.commands.run_completion import complete_grouping, complete_score
from experiments.core.console import format_json, output_width
from experiments.core.errors import UsageError

log = logging.getLogger("gans")

METRIC_HELP = "Score to compare (gans evaluate makes them); default: the first that all runs have."
MIXED_HELP = "Compare scores that were computed differently."
BY_HELP = "Settings by which runs are grouped; default: those that tell the runs apart."


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN…", shell_complete=files_or())
@click.option("--metric", metavar="NAME", shell_complete=complete_score, help=METRIC_HELP)
@click.option("--by", default="", metavar="SETTING,…", shell_complete=complete_grouping, help=BY_HELP)
@click.option(
    "--test",
    type=click.Choice(["welch", "paired"]),
    default="welch",
    show_default=True,
    help="Test against the best: Welch's t test, or the t test of pairs with equal seeds.",
)
@json_option
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print CSV with a line for every run; its last column says why one failed, diverged or collapsed.",
)
@click.option("--allow-mixed", "--force", "allow_mixed", is_flag=True, help=MIXED_HELP)
@debug_option
def compare(
    runs: tuple[str, ...],
    metric: str | None,
    by: str,
    test: str,
    as_json: bool,
    as_csv: bool,
    allow_mixed: bool,
    debug: bool,
) -> None:
    """Compare settings by one score, with intervals and tests over the seeds.

    \b
    gans compare runs/sweep-mine
    gans compare runs/a runs/b runs/c --metric fid

    RUN is a run folder, a sweep's folder, or wandb:ENTITY/PROJECT. A run that failed, diverged or collapsed
    "did not end", and is worse than any score.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; give one")
    from experiments.analysis.comparison.read import read_records
    from experiments.analysis.comparison.terminal_table import compare as compared
    from experiments.analysis.comparison.terminal_table import format_comparison, to_csv, to_json

    found = compared(
        read_records(runs),
        metric,
        parse_setting_names(by),
        "paired" if test == "paired" else "welch",
        allow_mixed,
    )
    if as_csv:
        click.echo(to_csv(found), nl=False)
        return
    for line in [format_json(to_json(found))] if as_json else format_comparison(found, output_width()):
        click.echo(line)


def parse_setting_names(words: str) -> list[str]:
    """Reads names of settings and keys of options, each once: `loss,lr-generator,arch.mapping-layers`."""
    from experiments.core.options import canonical_key
    from experiments.core.short_flags import SHORT_FLAGS

    names = [word.strip() for word in words.split(",") if word.strip()]
    found = [canonical_key(name) if "." in name else name.replace("-", "_") for name in names]
    return list(dict.fromkeys(SHORT_FLAGS[name].key if name in SHORT_FLAGS else name for name in found))


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN…", shell_complete=files_or())
@click.option(
    "--out", required=True, metavar="FILE.html", shell_complete=complete_file, help="HTML file to write."
)
@click.option("--metric", metavar="NAME", shell_complete=complete_score, help=METRIC_HELP)
@click.option("--by", default="", metavar="SETTING,…", shell_complete=complete_grouping, help=BY_HELP)
@click.option("--allow-mixed", is_flag=True, help=MIXED_HELP)
@click.option(
    "--track", is_flag=True, help="Put the report beside each run in W&B or MLflow, if tracked there."
)
@force_option("Overwrite FILE.html where it exists.")
@debug_option
def report(
    runs: tuple[str, ...],
    out: str,
    metric: str | None,
    by: str,
    allow_mixed: bool,
    track: bool,
    force: bool,
    debug: bool,
) -> None:
    """Write an HTML report of RUNs, one file that opens without a network.

    \b
    gans report runs/sweep-mine --out report.html
    gans report runs/a runs/b --out report.html

    RUN is a run folder, a sweep's folder, or wandb:ENTITY/PROJECT. The report holds their comparison, their
    samples beside real images, their curves, and the commands that make them again.
    """
    from experiments.analysis.comparison.html_report import render_report as page_of
    from experiments.analysis.comparison.read import read_records
    from experiments.analysis.comparison.terminal_table import compare as compared
    from experiments.analysis.page.document import write_page
    from experiments.core.destinations import output_file

    with output_file("report", out, ".html", force=force) as path:
        records, comparison, why_not = read_records(runs, leaves_out=True), None, ""
        try:
            comparison = compared(records, metric, parse_setting_names(by), force=allow_mixed)
        except UsageError as error:
            if metric or by:
                raise
            why_not = str(error)  # curves and samples show something all the same
            log.info(f"not compared: {why_not}")
        write_page(path, page_of(records, comparison, why_not))
        if track:
            from experiments.analysis.comparison.attach import attach_report
            from experiments.core.word_lists import describe_count

            log.info(f"put beside {describe_count(attach_report(path, records), 'tracked run')}")
    click.echo(out)
