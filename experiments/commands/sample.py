"""`gans sample`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from pathlib import Path

import click

from experiments.commands.options import (
    SettingType,
    debug_option,
    label_option,
    plugin_option,
)
from experiments.core.errors import UsageError

log = logging.getLogger("gans")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the latents.")
@click.option("--truncation", type=click.FloatRange(0, 2), metavar="PSI", help="Nearer to the mean of w.")
@label_option("Of one class, by a conditional generator; default: as the data has them.")
@click.option("--cutoff", type=click.IntRange(min=1), metavar="N", help="Only its first N styles.")
@click.option("--out", default="samples.png", show_default=True, metavar="FILE.png|FILE.npy|DIR/")
@click.option("--device", type=SettingType("device"), default="auto", metavar="auto|cpu|cuda|mps")
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
    device: str,
    debug: bool,
) -> None:
    """Samples of RUN (a run folder, a checkpoint or an exported generator) as pictures or an array."""
    from experiments.runs.generator import (
        Truncation,
        from_noise,
        generate,
        load_generator,
        of_class,
        save_samples,
    )

    if cutoff is not None and truncation is None:
        raise UsageError("--cutoff says where --truncation ends; give both")
    network, _ = load_generator(run)
    generator = of_class(from_noise(network, str(run)), label, str(run))
    near = None if truncation is None else Truncation(truncation, cutoff)
    log.info(save_samples(generate(generator, count, seed, device, near), out))
    click.echo(out)
