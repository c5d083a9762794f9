"""Command `gans reproduce`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from pathlib import Path
from typing import Any

import click

from experiments.commands.completion import offering
from experiments.commands.options import debug_option, device_option, jobs_option, json_option, setting_option
from experiments.core import registry
from experiments.core.console import format_json, progress_bars
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.sweeps.reproduction.published_rows import ROWS, PublishedRow

log = logging.getLogger("gans")


@click.command()
@click.argument("name", required=False, shell_complete=offering(lambda context, last: sorted(ROWS)))
@click.option("--list", "as_list", is_flag=True, help="List the rows, with target and paper.")
@click.option(
    "--seeds", type=click.IntRange(1, 1000), metavar="N", help="Number of seeds; default: the row's."
)
@jobs_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the runs; default: runs/reproduce-NAME.",
)
@json_option
@device_option
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights file of the feature extractor.",
)
@setting_option("data_root")
@setting_option("download")
@setting_option("kimg", default="that of the row")
@debug_option
def reproduce(
    name: str | None,
    as_list: bool,
    seeds: int | None,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
    kimg: float | None,
    debug: bool,
    **access: Any,
) -> None:
    """Run the published row NAME again, and say whether its number was reached.

    \b
    gans reproduce --list
    gans reproduce grid25-wgan-gp
    """
    if as_list or name is None:
        if name is not None or not as_list:
            raise UsageError("give the NAME of a row, or --list")
        click.echo(format_json({key: _about(row) for key, row in ROWS.items()}) if as_json else _table())
        return
    if name not in ROWS:
        raise registry.unknown_name_error("row", name, list(ROWS))
    from experiments.analysis.comparison.notes import ENOUGH, describe_few_seeds
    from experiments.sweeps.devices import gpus_to_share
    from experiments.sweeps.engines import default_jobs
    from experiments.sweeps.reproduction.reproduce import ReproductionOptions, prepare_reproduction
    from experiments.sweeps.reproduction.reproduce import reproduce as repeat
    from experiments.sweeps.reproduction.verdict import protocol_changes, summarize, verdict_of
    from experiments.training.trainer import Interrupted

    row = ROWS[name]
    asked = ReproductionOptions(
        seeds or row.seeds, kimg, **{key: value for key, value in access.items() if value}
    )
    with progress_bars() as meter:
        specs, evaluator = prepare_reproduction(name, row, asked, meter)
    folder = out or Path("runs") / (f"reproduce-{name}" + (f"-kimg-{kimg:g}" if kimg else ""))
    for remark in row.remarks:
        log.info(f"{name}: {remark}")
    try:
        device = specs[0].settings.device
        jobs = jobs or default_jobs(device, gpus_to_share(device))
        values = repeat(row, specs, evaluator, folder, jobs)
        found = summarize(values, evaluator.bounds_of(row.metric, row.number))
    except Interrupted:
        raise click.exceptions.Abort from None
    if few := describe_few_seeds(asked.seeds):
        log.info(f"{name}: {few}; go on with --seeds {ENOUGH}")
    changed = protocol_changes(row, asked.seeds, kimg)
    outcome = {
        **_about(row),
        "reached": found.mean,
        "margin": found.margin,
        "interval": found.interval,
        "values": found.values,
        "changes": changed,
        "verdict": verdict_of(row, found, changed),
    }
    interval = "(one seed: no interval)"
    if found.interval is not None:
        interval = f"[{found.interval[0]:.4g}, {found.interval[1]:.4g}] (95 %, t)"
    lines = [
        f"target   {row.metric} {row.number} {row.target_in_words}  {row.paper}",
        f"reached  {found.mean:.4g} {interval} over {asked.seeds} of {row.seeds} seeds",
        f"verdict  {outcome['verdict']}" + (f": {'; '.join(changed)}" if changed else ""),
    ]
    click.echo(format_json({"name": name, **outcome}) if as_json else "\n".join(lines))


def _about(row: PublishedRow) -> JsonObject:
    """Description of a row for JSON."""
    names = ("paper", "target", "spread", "goal", "metric", "number", "samples", "seeds", "search")
    return {name: getattr(row, name) for name in names} | {"needs_gpu": row.needs_gpu}


def _table() -> str:
    """Table of all rows, with target and paper."""
    targets = {name: f"{row.metric} {row.number} {row.target_in_words}" for name, row in ROWS.items()}
    name_width, target_width = max(map(len, targets)), max(map(len, targets.values()))
    return "\n".join(
        f"{name:<{name_width}}  {targets[name]:<{target_width}}  {row.paper}{'  (GPU)' * row.needs_gpu}"
        for name, row in ROWS.items()
    )
