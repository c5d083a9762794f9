"""Commands `gans interpolate`, `arithmetic`, `traverse` and `directions`: parse, call, print.

Nothing heavy is imported at the top.
"""

import logging
from typing import Any

import click

from experiments.commands.latent_options import (
    DIMS,
    RANGE,
    SEEDS,
    STEPS,
    generator_options,
    open_latent_space,
    reach_option,
)
from experiments.commands.options import WordOption, WordType, out_option, seed_option
from experiments.core.console import format_json
from experiments.core.errors import UsageError
from experiments.core.value_readers import whole_number

log = logging.getLogger("gans")


class OrderedCommand(click.Command):
    """Command that remembers the order of its options as `ctx.meta["order"]`: click sorts them by name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the arguments, and notes the order of their options."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta["order"] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


@click.command()
@click.option("--from", "begin", type=SEEDS, required=True, metavar="SEED", help="Seed of the first sample.")
@click.option(
    "--to",
    "stations",
    type=SEEDS,
    required=True,
    metavar="SEED,…",
    help="Seeds of the samples to go to, in turn.",
)
@click.option(
    "--frames",
    cls=WordOption,
    type=WordType("NUMBER", whole_number(2, 100_000)),
    metavar="N",
    default=60,
    show_default=True,
    help="Number of frames.",
)
@click.option(
    "--fps",
    type=click.IntRange(1, 50),
    metavar="N",
    default=20,
    show_default=True,
    help="Frames per second of a film.",
)
@out_option("FILE.gif|.mp4|.png")
@generator_options
def interpolate(
    begin: tuple[int, ...],
    stations: tuple[int, ...],
    frames: int,
    fps: int,
    out: str,
    force: bool,
    **flags: Any,
) -> None:
    """Interpolate between samples of RUN, as a film or as a grid of its frames.

    \b
    gans interpolate runs/mine --from 1 --to 2,3 --out film.gif
    gans interpolate runs/mine --from 4 --to 5 --frames 8 --out steps.png

    A seed stands for the first picture of `gans sample RUN --seed SEED`.
    """
    from experiments.core.destinations import output_file
    from experiments.core.images import to_uint8
    from experiments.inference.latent_moves import interpolate
    from experiments.inference.movies import ENDINGS, check_encoder, save_frames

    if len(begin) > 1:
        raise UsageError(f"--from {','.join(map(str, begin))}: give one seed; --to takes several")
    with output_file("interpolate", out, *ENDINGS, force=force) as path:
        check_encoder(path)
        space = open_latent_space(flags)
        space.require_images("interpolate")
        points = interpolate(space, [*begin, *stations], frames)
        save_frames(to_uint8(space.samples(points)), path, fps)
    way = " to ".join(map(str, [*begin, *stations]))
    log.info(f"{frames} frames from seed {way} through {space.letter} in {path}")
    click.echo(out)


@click.command(cls=OrderedCommand)
@click.option(
    "--plus", type=SEEDS, multiple=True, metavar="SEED,…", help="Add the mean of these seeds' latents."
)
@click.option(
    "--minus", type=SEEDS, multiple=True, metavar="SEED,…", help="Subtract the mean of these seeds' latents."
)
@click.option(
    "--noise",
    cls=WordOption,
    type=RANGE,
    metavar="STD",
    default=0.25,
    show_default=True,
    help="Noise of the result's neighbours: ±, in standard deviations.",
)
@seed_option("Seed of the noise.")
@out_option("FILE.png")
@generator_options
@click.pass_context
def arithmetic(
    ctx: click.Context,
    /,
    plus: tuple[Any, ...],
    minus: tuple[Any, ...],
    noise: float,
    seed: int,
    out: str,
    force: bool,
    **flags: Any,
) -> None:
    """Add and subtract samples of RUN by their latents: each term is the mean of its seeds.

    \b
    gans arithmetic runs/mine --plus 1 --minus 2 --plus 3 --out sum.png
    gans arithmetic runs/mine --plus 1,2,3 --minus 4,5,6 --plus 7,8,9 --out sum.png
    """
    from experiments.core.destinations import output_file
    from experiments.core.images import write_picture
    from experiments.inference.latent_moves import LatentTerm, arithmetic_sheet

    rest = {"plus": iter(plus), "minus": iter(minus)}
    terms = [
        LatentTerm(1 if name == "plus" else -1, next(rest[name]))
        for name in ctx.meta["order"]
        if name in rest
    ]
    if not terms:
        raise UsageError("nothing to add: give --plus SEEDS or --minus SEEDS, as often as there are terms")
    with output_file("arithmetic", out, ".png", force=force) as path:
        space = open_latent_space(flags)
        space.require_images("arithmetic")
        write_picture(path, arithmetic_sheet(space, terms, noise, seed))
    click.echo(out)


@click.command()
@seed_option("Seed of the sample.")
@click.option(
    "--dims", type=DIMS, metavar="DIM,…", help="Dimensions, counted from 0; default: the first eight."
)
@click.option(
    "--steps",
    cls=WordOption,
    type=STEPS,
    metavar="N",
    default=9,
    show_default=True,
    help="Number of samples in each row.",
)
@reach_option
@out_option("FILE.png")
@generator_options
def traverse(
    seed: int, dims: tuple[int, ...] | None, steps: int, reach: float, out: str, force: bool, **flags: Any
) -> None:
    """Change one latent dimension of a sample of RUN at a time, and draw a row of pictures for each.

    \b
    gans traverse runs/mine --seed 3 --out rows.png
    gans traverse runs/mine --dims 0,1,2 --out rows.png
    """
    import torch

    from experiments.core.destinations import output_file
    from experiments.core.images import write_picture
    from experiments.inference.latent_moves import traversal_sheet

    with output_file("traverse", out, ".png", force=force) as path:
        space = open_latent_space(flags)
        space.require_images("traverse")
        chosen = range(min(8, space.size)) if dims is None else dims
        write_picture(path, traversal_sheet(space, seed, chosen, torch.linspace(-reach, reach, steps)))
    click.echo(out)


@click.command()
@click.option(
    "-k",
    "count",
    cls=WordOption,
    type=WordType("NUMBER", whole_number(1)),
    metavar="N",
    default=8,
    show_default=True,
    help="Number of directions.",
)
@click.option(
    "--method",
    type=click.Choice(["sefa", "pca"]),
    default="sefa",
    show_default=True,
    help="Method: sefa (of the weights), or pca (of w, with a mapping network).",
)
@seed_option("Seed of the sample that is moved.")
@click.option(
    "--steps",
    cls=WordOption,
    type=STEPS,
    metavar="N",
    default=9,
    show_default=True,
    help="Number of samples in each row.",
)
@reach_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, also without --out.")
@out_option("FILE.png", required=False)
@generator_options
def directions(
    count: int,
    method: str,
    seed: int,
    steps: int,
    reach: float,
    as_json: bool,
    out: str | None,
    force: bool,
    **flags: Any,
) -> None:
    """Find the directions in which samples of RUN change most, without labels, and draw them in a row each.

    \b
    gans directions runs/mine --out directions.png
    gans directions runs/mine --method pca --out directions.png

    sefa reads them from the weights that the latent meets first (Shen & Zhou 2021), pca from the w to
    which the mapping network sends noise (GANSpace, Härkönen et al. 2020).
    """
    from contextlib import nullcontext

    import torch

    from experiments.core.destinations import output_file
    from experiments.core.images import write_picture
    from experiments.inference.latent_directions import FINDERS, direction_sheet

    if out is None and not as_json:
        raise UsageError("nothing to show: give --out FILE.png, --json, or both")
    with nullcontext() if out is None else output_file("directions", out, ".png", force=force) as path:
        space = open_latent_space(flags)
        if path is not None:
            space.require_images("directions --out")
        found = FINDERS[method](space, count)
        if path is not None:
            write_picture(path, direction_sheet(space, seed, found, torch.linspace(-reach, reach, steps)))
    if as_json:
        click.echo(format_json({"method": method, "space": space.letter, **found.to_json(), "out": out}))
    else:
        click.echo(out)
