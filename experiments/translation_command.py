"""`gans translate`: parse, call, print. Nothing heavy is imported at the top."""

import json
from pathlib import Path

import click

from experiments import catalogue
from experiments.command_line import SettingType, debug_option, meters, say, setting_option


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT…", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "words",
    multiple=True,
    metavar="A|B|NAME=VALUE,…",
    help="The domain, or the attributes that change; may be left out where there is one domain.",
)
@click.option("--out", required=True, metavar="DIR", help="Where to write, under the names of the images.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--skip-bad", is_flag=True, help="Leave out and count files that cannot be read.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of dropout's noise.")
@click.option("--device", type=SettingType("device"), default="auto", metavar="auto|cpu|cuda|mps")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@setting_option("plugin")
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
    plugin: tuple[str, ...] | None,
    debug: bool,
) -> None:
    """Translates images, and folders of images, of any size by the generator of RUN.

    \b
    gans translate RUN photo.jpg --to B --out translated
    gans translate RUN faces/ --to hair=black,glasses=1 --out changed
    """
    import torch

    from experiments.config import resolve_device
    from experiments.sampling import from_images, load_generator
    from experiments.translating import Frame, check, find, translate_files
    from experiments.translation_targets import target_of

    for path in plugin or ():
        catalogue.add_plugin(path)
    place = torch.device(resolve_device(device))
    items = find(inputs, out, force)
    generator, settings = load_generator(run, say)
    network = from_images(generator, str(run)).to(place)
    target = target_of(network, settings, words, run, say)
    assert settings.image_size is not None and settings.channels is not None  # it is a run on images
    frame = Frame(settings.image_size, settings.channels, network.multiple, place)
    with meters() as meter:
        good = check(items, skip_bad, say, meter("reading", len(items)))
        translate_files(good, frame, target, seed, meter(f"to {target.words}", len(good)))
    say(f"{len(good)} image{'s' * (len(good) > 1)} to {target.words} in {out}")
    if as_json:
        files = [{"input": str(item.file), "output": str(item.result)} for item in good]
        skipped = [str(item.file) for item in sorted(set(items) - set(good))]
        click.echo(json.dumps({"out": out, "to": target.words, "files": files, "skipped": skipped}))
    else:
        click.echo(out)
