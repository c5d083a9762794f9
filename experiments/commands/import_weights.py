"""Command `gans import`: parse, call, print. Nothing heavy is imported at the top."""

import json
import logging
from pathlib import Path

import click

from experiments.commands.completion import names_of
from experiments.commands.options import (
    check_options,
    debug_option,
    plugin_option,
    read_options,
    set_option,
    setting_option,
)
from experiments.core.named_values import SettingValues

log = logging.getLogger("gans")


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--arch",
    metavar="NAME",
    shell_complete=names_of("architecture"),
    help="Architecture of the weights; default: the one recognized.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to make, laid out as a run folder.",
)
@setting_option("data", default="by --arch")
@setting_option("image_size", "Image size in pixels, of networks that take any.", "as published")
@setting_option(
    "attributes",
    "Names of the attributes that a StarGAN changes, in the order of its training.",
    "all of --data",
)
@set_option("architecture", "data")
@plugin_option
@debug_option
def import_weights(
    files: tuple[Path, ...],
    arch: str | None,
    out: Path,
    data: str | None,
    image_size: object,
    attributes: object,
    options: tuple[str, ...],
    debug: bool,
) -> None:
    """Import published weights from FILE... into a folder that every tool reads as a run.

    \b
    gans import ffhq.pkl --out ffhq
    gans import G.pt D.pt --arch r3gan --data folder:faces --out faces

    Nothing in the files is executed. Which networks can be read: gans list formats. Without --data the folder
    names the architecture's embedded data, against which evaluations of the weights say little.
    """
    from experiments.runs.published.importing import Wishes
    from experiments.runs.published.importing import import_weights as start

    given = read_options(options)
    check_options(given, "architecture", "data")
    asked = {"data": data, "image_size": image_size, "attributes": attributes}
    settings: SettingValues = given | {name: value for name, value in asked.items() if value}
    folder = start(files, out, Wishes(arch, settings))
    provenance = json.loads(folder.import_file.read_text())
    named = ", ".join(f"{role.replace('_', ' ')} {name}" for role, name in provenance["networks"].items())
    log.info(f"{provenance['format']}: {named}")
    if data is None:
        log.info(
            f"evaluations compare with {folder.settings().data}; --data SPEC names real images of their kind"
        )
    click.echo(out)
