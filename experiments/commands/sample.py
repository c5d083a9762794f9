"""Command `gans sample`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from pathlib import Path
from typing import Any

import click

from experiments.commands.latent_options import whole_number_reader
from experiments.commands.options import (
    WordType,
    debug_option,
    device_option,
    out_option,
    plugin_option,
    seed_option,
)
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.value_readers import number_ranges

log = logging.getLogger("gans")

COUNT = 64
LABELS = WordType("N,…", whole_number_reader("a label"))
SEEDS = WordType("SEEDS", number_ranges("seeds", most=2**32 - 1))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Number of samples; default: {COUNT}, or as many as there are latents.",
)
@seed_option("Seed of the latents.")
@click.option(
    "--seeds",
    type=SEEDS,
    metavar="0-63",
    help="One sample for each seed, from the latent that NVlabs' programs draw for it; 1,5-7 is a list.",
)
@click.option(
    "--latents",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="One sample for each latent of an array, (N, z_dim).",
)
@click.option(
    "--space",
    type=click.Choice(["z", "w"]),
    default="z",
    show_default=True,
    help="Space of --latents; w, after the mapping network, is (N, w_dim), or (N, layers, w_dim).",
)
@click.option(
    "--truncation",
    type=click.FloatRange(0, 2),
    metavar="PSI",
    help="Truncation ψ of w towards its mean; 1: none.",
)
@click.option(
    "--cutoff",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of styles that are truncated, from the first on; default: all.",
)
@click.option(
    "--label",
    "labels",
    type=LABELS,
    metavar="N,…",
    help="Class of all samples, or of each, from a conditional generator; default: drawn as often as in the "
    "data.",
)
@click.option(
    "--noise-mode",
    type=click.Choice(["auto", "const", "random", "none"]),
    default="auto",
    show_default=True,
    help="Noise in layers that have it: const is the fixed one, random is drawn by --seed, none is zero; "
    "auto is const.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Write float32 as the network makes it, without cutting to [−1, 1], to FILE.npy.",
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
    count: int | None,
    seed: int,
    truncation: float | None,
    cutoff: int | None,
    out: str,
    force: bool,
    device: str,
    debug: bool,
    raw: bool,
    **flags: Any,
) -> None:
    """Draw samples of RUN (a run folder, a checkpoint or an exported generator) as pictures or an array.

    \b
    gans sample runs/mine --out grid.png
    gans sample runs/mine -n 1000 --truncation 0.7 --out samples/
    gans sample runs/mine --seed 5 -n 16 --out sixteen.npy
    """
    _check_flags(count, out, cutoff, truncation, raw, flags)
    from experiments.core.processes import entered_by_first, from_first
    from experiments.core.units import units_of
    from experiments.inference.given_latents import read_draws, sample_draws, set_noise
    from experiments.runs.generator import (
        Truncation,
        from_noise,
        generate,
        load_generator,
        restrict_to_class,
    )
    from experiments.runs.sample_files import open_destination, save_samples
    from losses.core.batch_parts import whole_batches

    near = None if truncation is None else Truncation(truncation, cutoff)
    labels: tuple[int, ...] = flags["labels"] or ()
    draws = read_draws(flags["latents"], flags["space"], flags["seeds"], labels)
    number = len(draws.latents) if draws else count or COUNT
    loaded, settings = load_generator(run)
    units = units_of(settings.options)
    with entered_by_first(lambda: open_destination(out, number, force, units)):
        network = from_noise(loaded, str(run))
        set_noise(network, flags["noise_mode"], seed, str(run))
        network.clamps = not raw
        generator = restrict_to_class(network, labels[0] if len(labels) == 1 else None, str(run))

        def make() -> Any:
            if draws:
                return sample_draws(generator, draws, seed, device, near)
            return generate(generator, number, seed, device, near)

        def save_alone() -> str:
            with whole_batches():
                return save_samples(make(), out, raw, units)

        # Noise that is drawn from batch to batch is that of one process.
        if draws or flags["noise_mode"] == "random":
            log.info(from_first(save_alone))
        else:
            samples = make()
            log.info(from_first(lambda: save_samples(samples, out, raw, units)))
    click.echo(out)


def _check_flags(
    count: int | None, out: str, cutoff: int | None, truncation: float | None, raw: bool, flags: SettingValues
) -> None:
    """Checks flags that need or exclude each other. Raises UsageError."""
    if cutoff is not None and truncation is None:
        raise UsageError("--cutoff says where --truncation ends; give both")
    given = [flag for flag in ("latents", "seeds") if flags[flag] is not None]
    if len(given) == 2:
        raise UsageError("--latents and --seeds exclude each other; each names the samples")
    if given and count is not None:
        raise UsageError(f"-n and --{given[0]} exclude each other; there is a sample for each latent")
    if flags["space"] == "w" and flags["latents"] is None:
        raise UsageError("--space w is that of --latents FILE.npy; give both")
    if len(flags["labels"] or ()) > 1 and not given:
        raise UsageError("--label with several labels needs --latents or --seeds, one for each")
    if raw and Path(out).suffix != ".npy":
        raise UsageError(f"--raw writes numbers, not pictures; give --out FILE.npy instead of {out}")
