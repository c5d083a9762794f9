"""Command `gans sample`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from pathlib import Path

import click

from experiments.commands.options import debug_option, device_option, label_option, out_option, plugin_option
from experiments.core.errors import UsageError

log = logging.getLogger("gans")


@click.command(short_help="Draw samples as pictures or an array.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    metavar="N",
    default=64,
    show_default=True,
    help="Number of samples.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the latents.",
)
@click.option(
    "--truncation",
    type=click.FloatRange(0, 2),
    metavar="PSI",
    help="Truncation ψ of w towards its mean; 1: none.",
)
@label_option("Class label, of a conditional generator; default: as frequent as in the data.")
@click.option(
    "--cutoff",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of styles that are truncated, from the first on; default: all.",
)
@out_option(
    "FILE.png|FILE.npy|DIR/",
    "File or folder to write.",
    required=False,
    default="samples.png",
    show_default=True,
)
@device_option
@plugin_option
@debug_option
def sample(
    run: Path,
    count: int,
    seed: int,
    truncation: float | None,
    cutoff: int | None,
    label: int | None,
    out: str,
    force: bool,
    device: str,
    debug: bool,
) -> None:
    """Draw samples of RUN (a run folder, a checkpoint or an exported generator) as pictures or an array."""
    from experiments.runs.generator import (
        Truncation,
        from_noise,
        generate,
        load_generator,
        open_destination,
        restrict_to_class,
        save_samples,
    )

    if cutoff is not None and truncation is None:
        raise UsageError("--cutoff says where --truncation ends; give both")
    near = None if truncation is None else Truncation(truncation, cutoff)
    with open_destination(out, count, force):
        network, _ = load_generator(run)
        generator = restrict_to_class(from_noise(network, str(run)), label, str(run))
        log.info(save_samples(generate(generator, count, seed, device, near), out))
    click.echo(out)
