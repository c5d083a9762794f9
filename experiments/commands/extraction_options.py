"""Options of the commands that extract features, and how they are read. Imports nothing heavy at the top."""

from pathlib import Path
from typing import Any

import click

from experiments.commands.completion import complete_choice, names_of
from experiments.commands.options import (
    Command,
    Decorator,
    debug_option,
    device_option,
    json_option,
    plugin_option,
    seed_option,
    set_option,
    setting_option,
)
from experiments.core.named_values import SettingValues
from experiments.core.settings import FIELDS

OF_DATA = "that of the data"
BOTH_COUNTS = (
    "Largest number of samples on each side; default: at most 50,000 real ones, and as many generated ones."
)


def add_extraction_options(count_help: str, *kinds: str) -> Decorator:
    """Makes a decorator that adds the options of commands that extract features.

    Args:
        count_help: help of `-n`.
        kinds: kinds of the components whose options `--set` takes.
    """
    path = click.Path(path_type=Path)
    count = click.IntRange(min=2)
    options = (
        debug_option,
        plugin_option,
        json_option,
        device_option,
        set_option(*kinds),
        seed_option("Seed of the samples."),
        click.option("--download", is_flag=True, help="Download weights and data that are missing here."),
        click.option(
            "--resize-rule",
            metavar="tf1|pytorch-fid|clean",
            shell_complete=complete_choice,
            help="Rule by which images are resized for the extractor; default: the extractor's own (tf1 for "
            "inception, clean for the others).",
        ),
        click.option("--weights", type=path, metavar="FILE", help="Weights of the feature extractor."),
        click.option(
            "--extractor",
            metavar="NAME",
            shell_complete=names_of("extractor"),
            help="Feature extractor (gans list extractors); default: the best whose weights are here.",
        ),
        click.option("-n", "count", type=count, metavar="N", help=count_help),
    )

    def add(command: Command) -> Command:
        for option in options:
            command = option(command)
        return command

    return add


def add_format_options(default: str) -> Decorator:
    """Makes a decorator that adds the options of the format that data is brought to.

    Args:
        default: image size and channels without these options, in words.
    """

    def add(command: Command) -> Command:
        for name in ("skip_bad", "data_root", "fit", "channels", "image_size"):
            own = default if name in ("channels", "image_size") else ""
            command = setting_option(name, FIELDS[name].metadata["help"], own)(command)
        return command

    return add


def read_extractor_options(flags: SettingValues, given: dict[str, str] | None = None) -> Any:
    """Makes the options of feature extraction from flags, and the extractor's own from `--set`."""
    from experiments.evaluation.features import ExtractorOptions

    own = {key: value for key, value in (given or {}).items() if key.startswith("extractor.")}
    names = ("extractor", "weights", "resize_rule", "device", "download")
    return ExtractorOptions(**{name: flags[name] for name in names}, options=own)


def read_data_format_and_access(flags: SettingValues, given: dict[str, str]) -> tuple[Any, Any]:
    """Makes the format of image data, and the access to data, from flags and from `--set`."""
    from experiments.data.core.sources import data_access_from
    from experiments.evaluation.sample_sets import ImageFormat

    found = ImageFormat(flags["image_size"], flags["channels"], flags["fit"] or "auto")
    return found, data_access_from(
        {name: value for name, value in flags.items() if value is not None} | given
    )
