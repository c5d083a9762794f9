"""Commands `gans fid` and `gans stats`: parse, call, print. Nothing heavy is imported at the top."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from experiments.commands.completion import files_or
from experiments.commands.extraction_options import (
    BOTH_COUNTS,
    OF_DATA,
    add_extraction_options,
    add_format_options,
    read_data_format_and_access,
    read_extractor_options,
)
from experiments.commands.options import check_options, out_option, read_options
from experiments.core.console import format_json, progress_bars
from experiments.core.named_values import SettingValues


@click.command()
@click.argument("a", shell_complete=files_or("data"))
@click.argument("b", shell_complete=files_or("data"))
@add_format_options("that of a generator on the other side, else the data's own")
@add_extraction_options(BOTH_COUNTS, "extractor", "data")
@click.option("--force", is_flag=True, help="Compare sides of different provenance.")
def fid(a: str, b: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Compute the Fréchet distance between A and B: data, a run, a generator, or statistics (.npz).

    \b
    gans fid folder:photos folder:samples --fit crop
    gans fid fashion-mnist runs/mine --extractor random-vgg
    """
    from experiments.evaluation.distance import distance
    from experiments.runs.scores import format_scores

    with progress_bars() as meter:
        one, other = make_distance_sides(flags, meter, a, b).sides(a, b)
    scores = distance(one, other, flags["seed"], force)
    for line in [format_json(scores)] if as_json else format_scores(scores):
        click.echo(line)


@click.command()
@click.argument("spec", shell_complete=files_or("data"))
@out_option("FILE.npz")
@add_format_options(OF_DATA)
@add_extraction_options("Largest number of samples; default: 50,000.", "extractor", "data")
def stats(spec: str, out: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Write mean and covariance of the features of SPEC to a file that `gans fid` reads.

    \b
    gans stats folder:photos --out photos.npz
    gans fid photos.npz runs/mine

    SPEC is data, a run folder, a checkpoint or an exported generator.
    """
    from experiments.core.destinations import output_file
    from experiments.core.processes import entered_by_first, from_first
    from experiments.evaluation.distance import write_statistics

    destination = partial(output_file, "stats", out, ".npz", force=force)
    with entered_by_first(destination), progress_bars() as meter:
        side = make_distance_sides(flags, meter, spec).open(spec)
        from_first(lambda: write_statistics(side, Path(out)))
    click.echo(format_json({"file": out, **side.record}) if as_json else out)


def make_distance_sides(flags: SettingValues, meter: Any, *words: str) -> Any:
    """Makes the opener of the sides of a distance. Raises UsageError for options that no side has."""
    from experiments.evaluation.distance import DistanceSides, is_data_spec
    from experiments.evaluation.sample_sets import read_data_options

    given = read_options(flags["options"])
    check_options(given, "extractor", "data")
    read_data_options(given, list(filter(is_data_spec, words)))
    options = read_extractor_options(flags, given)
    return DistanceSides(
        options, *read_data_format_and_access(flags, given), flags["count"], flags["seed"], meter
    )
