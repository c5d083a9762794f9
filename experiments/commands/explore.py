"""Command `gans explore`: parse, call. Nothing heavy is imported at the top."""

from pathlib import Path

import click

from experiments.commands.completion import names_of
from experiments.commands.options import WordOption, debug_option, device_option, plugin_option


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=0,
    help="Port of this machine to serve the page at; default: any that is free.",
)
@click.option(
    "--open/--no-browser",
    "opens_browser",
    default=True,
    cls=WordOption,
    help="Open the page in the browser.",
)
@click.option(
    "--extractor",
    metavar="NAME",
    shell_complete=names_of("extractor"),
    help="Feature extractor that finds the nearest real images; default: the best whose weights are here.",
)
@device_option
@plugin_option
@debug_option
def explore(
    runs: tuple[Path, ...], port: int, opens_browser: bool, extractor: str | None, device: str, debug: bool
) -> None:
    """Look at runs on a local page, side by side: move latents, directions, styles and time by sliders.

    \b
    gans explore runs/mine
    gans explore runs/dcgan-bce-shapes-1 runs/dcgan-wgan-gp-shapes-1
    gans explore runs/mine --no-browser --port 8080

    RUN is a run folder, a checkpoint, an exported generator, or a folder of runs such as a sweep's. Of
    translators, a picture is dropped on the page. The page is for this machine alone, at the address that is
    printed; it needs pip install "gans[explore]".
    """
    import webbrowser
    from contextlib import ExitStack

    from experiments.exploration.server import redirect_file, serve

    with ExitStack() as at_end:

        def announce(address: str) -> None:
            click.echo(address)
            if opens_browser:
                webbrowser.open(at_end.enter_context(redirect_file(address)).as_uri())

        serve(runs, port, device, extractor, announce)
