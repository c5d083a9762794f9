"""Command `gans mix`: parse, call, print. Nothing heavy is imported at the top."""

from typing import Any

import click

from experiments.commands.latent_options import generator_options, open_latent_space
from experiments.commands.options import out_option, seed_option


@click.command()
@click.option(
    "--rows",
    type=click.IntRange(1, 32),
    metavar="N",
    default=4,
    show_default=True,
    help="Number of rows (coarse styles).",
)
@click.option(
    "--cols",
    type=click.IntRange(1, 32),
    metavar="N",
    default=4,
    show_default=True,
    help="Number of columns (fine styles).",
)
@seed_option("Seed of the first row; the others count on from it.")
@click.option(
    "--crossover",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of coarse styles, which the rows give; default: half of all styles.",
)
@out_option("FILE.png")
@generator_options
def mix(rows: int, cols: int, seed: int, crossover: int | None, out: str, force: bool, **flags: Any) -> None:
    """Mix styles of RUN: the coarse ones of a sample for each row, the fine ones of one for each column.

    \b
    gans mix runs/mine --out mix.png
    gans mix runs/mine --rows 3 --cols 5 --crossover 4 --out mix.png
    """
    from experiments.core.destinations import output_file
    from experiments.core.images import write_picture
    from experiments.inference.style_mixing import mixing_sheet

    seeds = range(seed, seed + rows), range(seed + rows, seed + rows + cols)
    with output_file("mix", out, ".png", force=force) as path:
        write_picture(path, mixing_sheet(open_latent_space(flags), *seeds, crossover))
    click.echo(out)
