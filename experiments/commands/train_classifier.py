"""Command `gans train-classifier`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from typing import Any

import click

from experiments.commands.completion import names_of
from experiments.commands.extraction_options import OF_DATA, add_format_options, read_data_format_and_access
from experiments.commands.options import (
    check_options,
    debug_option,
    device_option,
    json_option,
    plugin_option,
    read_options,
    seed_option,
    set_option,
    setting_option,
)
from experiments.core.console import format_json, progress_bars

log = logging.getLogger("gans")

DRAWN_SIZE = (32, 32)  # at which a classifier is trained on a set that is drawn at any size


@click.command("train-classifier")
@click.option(
    "--data", required=True, metavar="SPEC", shell_complete=names_of("data"), help="Labelled set of images."
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    default=3,
    show_default=True,
    help="Passes over the data.",
)
@click.option(
    "--name", metavar="NAME", help="Name of the extractor, classifier:NAME; default: that of the data."
)
@seed_option("Seed of the training.")
@device_option
@click.option("--force", is_flag=True, help="Train again, even if the classifier is there.")
@json_option
@set_option("data")
@setting_option("download")
@add_format_options(f"{OF_DATA}; {DRAWN_SIZE[0]} where a set is drawn at any size")
@plugin_option
@debug_option
def train_classifier(data: str, force: bool, as_json: bool, debug: bool, **flags: Any) -> None:
    """Train the extractor classifier:NAME on a labelled set, once, and keep it with its accuracy.

    \b
    gans train-classifier --data fashion-mnist
    gans evaluate runs/mine --extractor classifier:fashion-mnist
    """
    from experiments.evaluation.classifier_training import Training, classifier_name, keep_classifier
    from experiments.evaluation.sample_sets import open_data_as, read_data_options

    given = read_options(flags["options"])
    check_options(given, "data")
    training = Training(flags["epochs"], flags["seed"], flags["device"], read_data_options(given, [data]))
    images = open_data_as(data, *read_data_format_and_access(flags, given), drawn_size=DRAWN_SIZE)
    for remark in images.remarks:
        log.info(f"data {data}: {remark}")
    with progress_bars() as meter:
        name = flags["name"] or classifier_name(data)
        found = keep_classifier(data, images, name, training, force, meter)
    click.echo(format_json(found) if as_json else f"{found['extractor']} accuracy {found['accuracy']:.4f}")
