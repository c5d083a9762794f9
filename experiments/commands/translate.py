"""Command `gans translate`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from pathlib import Path

import click

from experiments.commands.completion import complete_file
from experiments.commands.options import debug_option, device_option, json_option, plugin_option, seed_option
from experiments.commands.run_completion import complete_target
from experiments.core.console import format_json, progress_bars

log = logging.getLogger("gans")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT…", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "words",
    multiple=True,
    metavar="A|B|NAME=VALUE,…",
    shell_complete=complete_target,
    help="Domain, or attributes that change; may be left out where there is one domain.",
)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    shell_complete=complete_file,
    help="Folder to write to, under the names of the images.",
)
@click.option("--force", is_flag=True, help="Overwrite files that this command did not write, too.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count files that cannot be read.")
@seed_option("Seed of dropout.")
@device_option
@json_option
@plugin_option
@debug_option
def translate(
    run: Path,
    inputs: tuple[Path, ...],
    words: tuple[str, ...],
    out: str,
    force: bool,
    skip_bad: bool,
    seed: int,
    device: str,
    as_json: bool,
    debug: bool,
) -> None:
    """Translate images, and folders of images, of any size by the generator of RUN.

    \b
    gans translate runs/mine photo.jpg --to B --out translated
    gans translate runs/mine faces/ --to hair=black,glasses=1 --out changed
    """
    import torch

    from experiments.core.array_writing import array_ending
    from experiments.core.device import resolve_device
    from experiments.core.processes import agreement, from_first
    from experiments.core.units import units_of
    from experiments.inference.translation import InputFormat, check_readable, find_images, translate_files
    from experiments.inference.translation_targets import resolve_target
    from experiments.runs.generator import load_generator, require_translator
    from losses.core.batch_parts import process_part, whole_batches

    torch_device = torch.device(resolve_device(device))
    generator, settings = load_generator(run)
    units = units_of(settings.options)
    items = from_first(lambda: find_images(inputs, out, force, array_ending() if units else ".png"))
    network = require_translator(generator, str(run)).to(torch_device)
    target = resolve_target(network, settings, words, run)
    assert settings.image_size is not None and settings.channels is not None  # it is a run on images
    frame = InputFormat(settings.image_size, settings.channels, network.multiple, torch_device, units)
    with progress_bars() as meter:
        advance = meter("reading", len(items))
        good = from_first(lambda: check_readable(items, skip_bad, advance, frame.channels, units))
        own = good[process_part().index :: process_part().count]
        with agreement(), whole_batches():
            translate_files(own, frame, target, seed, meter(f"to {target.words}", len(own)))
    log.info(f"{len(good)} image{'s' * (len(good) > 1)} to {target.words} in {out}")
    if as_json:
        files = [{"input": str(item.file), "output": str(item.result)} for item in good]
        skipped = [str(item.file) for item in sorted(set(items) - set(good))]
        click.echo(format_json({"out": out, "to": target.words, "files": files, "skipped": skipped}))
    else:
        click.echo(out)
