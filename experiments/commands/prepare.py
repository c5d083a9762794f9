"""Command `gans prepare`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from typing import Any

import click

from experiments.commands.completion import files_or
from experiments.commands.options import (
    check_options,
    debug_option,
    json_option,
    out_option,
    plugin_option,
    read_options,
    set_option,
    setting_option,
)
from experiments.core.console import format_json, progress_bars
from experiments.core.errors import UsageError, usage_errors

log = logging.getLogger("gans")


@click.command()
@click.argument("spec", shell_complete=files_or("data"))
@setting_option("image_size", default="that of the data")
@setting_option("channels", "Image channels: 1 (grey), 3 (RGB) or 4 (RGBA).", "those of the data")
@setting_option("fit")
@setting_option("data_root")
@setting_option("download")
@setting_option("skip_bad")
@click.option("--held-out", is_flag=True, help="Take the images that are held out from training.")
@out_option("FILE.zip")
@set_option("data")
@plugin_option
@json_option
@debug_option
def prepare(
    spec: str, held_out: bool, out: str, force: bool, as_json: bool, debug: bool, **flags: Any
) -> None:
    """Resize the images of SPEC, data of any kind, once and for all, into a zip file with a dataset.json.

    \b
    gans prepare folder:photos --image-size 256 --fit crop --out photos-256.zip
    gans run --data zip:photos-256.zip

    Attributes are kept in an attributes.csv in it. NVlabs' StyleGAN trainers and R3GAN's read the file, too.
    The same command goes on where it was killed.
    """
    from experiments.core.destinations import output_file
    from experiments.core.files import make_parent_folders
    from experiments.core.word_lists import describe_count
    from experiments.data.core.copies import remark_on_copies
    from experiments.data.core.dataset import Fit, NoHeldOutDataError
    from experiments.data.core.preparation import names_of_lost_attributes, unfit_for_others, write_prepared
    from experiments.data.core.sources import absolute_spec, data_access_from, open_source

    options = read_options(flags["options"])
    check_options(options, "data")
    access = data_access_from({**flags, **options, "stream": True}, keeps_decoded=False)
    source = open_source(absolute_spec(spec), access)
    if source.kind != "images":
        raise UsageError(f"data {spec} are points, not images; take other data")
    size = flags["image_size"]
    fit: Fit = flags["fit"] or "auto"
    with output_file("prepare", out, ".zip", force=force) as path, usage_errors():
        size = size or source.native().size
        if size is None:
            raise UsageError(f"images of {spec} have no size of their own: give one with --image-size")
        try:
            open_part = source.open_held_out if held_out else source.open
            data = open_part(size, flags["channels"] or source.native().channels, fit)
        except NoHeldOutDataError as error:
            raise UsageError(f"--held-out: {error}") from error
        if data.units is not None:
            raise UsageError(
                f"{spec} is held as {data.units.depth} in a range, which a prepared file of 8 bits would "
                "lose: train on it as it is"
            )
        for remark in data.remarks:
            log.info(remark)
        if lost := names_of_lost_attributes(source, data):
            log.info(f"the held-out images have no attributes, so {', '.join(lost)} are left out")
        words = [absolute_spec(spec), str(fit), str(held_out), str(source.options)]
        with make_parent_folders(path), progress_bars() as meter:
            found = write_prepared(data, source, words, path, meter("prepare", len(data)))
    broken, (_, height, width) = len(data.unreadable), found.shape
    log.info(
        f"wrote {describe_count(found.images, 'image')} of {height}×{width}"
        + (f"; {broken:,} that cannot be read {'are' if broken > 1 else 'is'} left out" if broken else "")
    )
    for remark in remark_on_copies(found.copies, found.images):
        log.info(remark)
    if reason := unfit_for_others(found.shape):
        log.info(f"{reason}: the file is for gans alone")
    if as_json:
        click.echo(format_json({"file": out, **found._asdict()}))
        return
    click.echo(out)
