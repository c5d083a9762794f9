"""Command `gans project`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from pathlib import Path
from shlex import quote
from typing import Any

import click

from experiments.commands.latent_options import generator_options, open_latent_space
from experiments.commands.options import WordOption, WordType, json_option, out_option, seed_option
from experiments.core.console import format_json, progress_bars
from experiments.core.errors import UsageError
from experiments.core.value_readers import whole_number

log = logging.getLogger("gans")


@click.command()
@click.option(
    "--steps",
    cls=WordOption,
    type=WordType("NUMBER", whole_number(1, 1_000_000)),
    metavar="N",
    default=300,
    show_default=True,
    help="Steps of the search.",
)
@seed_option("Seed of the latents with which the search begins.")
@json_option
@out_option("FILE.png")
@generator_options
@click.argument("image", type=click.Path(path_type=Path))
def project(image: Path, steps: int, seed: int, as_json: bool, out: str, force: bool, **flags: Any) -> None:
    """Search for the sample of RUN that is nearest to IMAGE, an image file of any kind.

    \b
    gans project runs/mine face.png --out nearest.png
    gans sample runs/mine --latents nearest.npy --out again.png

    FILE.png shows both; the latent is written beside it as .npy. Of a generator with styles it is a w:
    `gans sample RUN --latents FILE.npy --space w`.
    """
    from experiments.core.destinations import output_file
    from experiments.core.files import write_array
    from experiments.core.images import write_picture
    from experiments.core.units import units_of
    from experiments.inference.projection import project as search
    from experiments.inference.projection import projection_sheet, read_target

    if Path(out).absolute() == image.absolute():
        raise UsageError(f"--out {out}: that is the image itself; give another FILE.png")
    latent = Path(out).with_suffix(".npy") if Path(out).name else Path()
    with output_file("project", out, ".png", force=force, beside=[latent.name]) as path:
        space = open_latent_space(flags)
        space.require_images("project")
        settings = space.settings
        units = units_of(settings.options)
        target = read_target(image, settings.image_size, settings.channels, settings.fit or "crop", units)
        with progress_bars() as meter:
            found = search(space, target, steps, seed, meter(str(image), steps))
        write_array(latent, found.point)
        write_picture(path, projection_sheet(target, found))
    scores = {"mean_squared_error": found.error, "psnr": found.psnr}
    if as_json:
        click.echo(format_json({**scores, "space": space.letter, "out": out, "latent": str(latent)}))
        return
    for name, value in scores.items():
        click.echo(f"{name} {value:.6g}")
    click.echo(out)
    run, file = quote(str(flags["run"])), quote(str(latent))
    again = f"gans sample {run} --latents {file} --out again.png"
    if space.letter == "w":
        again = f"gans sample {run} --latents {file} --space w --out again.png"
    log.info(f"next: {again}" + ("" if flags["label"] is None else f" --label {flags['label']}"))
