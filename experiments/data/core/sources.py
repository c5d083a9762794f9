"""Data specs, the words after `--data`, and the sources that they name."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from experiments.core import registry
from experiments.core.errors import RunError, UsageError, usage_errors
from experiments.core.named_values import SettingValues
from experiments.core.options import describe_options, make_options
from experiments.core.paths import expand_home
from experiments.data.core.dataset import USUAL, DataAccess, Source
from experiments.data.core.holdout import hold_out

# Sources of files by their endings, and words for such a file.
FILE_SPECS = {
    ".zip": ("zip", "a zip file"),
    ".npy": ("npy", "an array"),
    ".npz": ("npz", "a file of arrays"),
    ".tar": ("wds", "a tar file"),
}
# Sources of folders with such a file, and words for the folder.
FOLDER_SPECS = {
    "data.mdb": ("lmdb", "a database"),
    "dataset_dict.json": ("hf", "a data set of Hugging Face"),
    "dataset_info.json": ("hf", "a data set of Hugging Face"),
}


def absolute_spec(spec: str) -> str:
    """Makes the path in a data spec absolute, if it has one, so that a run goes on from any folder."""
    name, _, argument = spec.partition(":")
    if not argument:
        return spec
    source = _source_type(spec)
    return f"{name}:{absolute_spec(argument) if source.takes_spec else source.absolute_argument(argument)}"


def _source_type(spec: str) -> Any:
    """The class of the source that a spec names. Raises UsageError with the spec of a path given alone."""
    name = spec.partition(":")[0]
    if name not in registry.names("data") and (hint := suggest_spec(spec)):
        raise UsageError(f"unknown data '{spec}', which is {hint}")
    return registry.load("data", name)


def suggest_spec(word: str) -> str:
    """Says which data spec names the images at a path, where there are some; else it is empty."""
    if (found := spec_of_path(word)) is not None:
        spec, words = found
        return f"{words}; for the images in it: {quote(spec)}"
    with suppress(ValueError, OSError):
        path = expand_home(word)
        if path.is_file():
            return f"a file; for all images beside it: {quote(f'folder:{path.parent}')}"
    return ""


def spec_of_path(word: str) -> tuple[str, str] | None:
    """The data spec of a folder, or of a file that holds many images, and words for it; None for others."""
    with suppress(ValueError, OSError):
        path = expand_home(word)
        if path.is_dir():
            own = (found for file, found in FOLDER_SPECS.items() if (path / file).is_file())
            name, words = next(own, ("folder", "a folder"))
            return f"{name}:{word}", words
        if path.suffix.lower() in FILE_SPECS and path.is_file():
            name, words = FILE_SPECS[path.suffix.lower()]
            return f"{name}:{word}", words
    return None


def data_access_from(settings: SettingValues, keeps_decoded: bool = True) -> DataAccess:
    """The access to the files of a source, with its options, from settings by name.

    Args:
        keeps_decoded: whether decoded images are kept in the cache folder.
    """
    root = settings.get("data_root")
    switches = {name: settings.get(name, False) for name in ("download", "skip_bad", "stream")}
    options = {key: value for key, value in settings.items() if key.startswith("data.")}
    holdout, seed = settings.get("holdout"), settings.get("holdout_seed") or 0
    return DataAccess(
        Path(root) if root else None,
        **switches,
        options=options,
        holdout=holdout,
        holdout_seed=seed,
        keeps_decoded=keeps_decoded,
    )


def open_source(spec: str, access: DataAccess = USUAL) -> Source:
    """Opens the source of a data spec `NAME` or `NAME:ARGUMENT`.

    Raises UsageError for options that it cannot have; options of other sources are left alone.
    """
    name, _, argument = spec.partition(":")
    make = _source_type(spec)
    readers = describe_options("data", name).readers
    own = {}
    for each, read in readers.items():
        if (value := access.options.get(f"data.{each}")) is not None:
            with usage_errors(f"--set data.{each}"):
                own[f"data.{each}"] = read(value)
    with usage_errors():
        found: Source = make(argument, access)
    if readers:
        found.options = make_options(make.options_type, "data", own)
    return found if found.holds_out_within else hold_out(found, access)


def known_class_names(spec: str, settings: SettingValues) -> tuple[str, ...]:
    """Names of the classes of data that are on this machine, found without reading the samples.

    Args:
        settings: by name, with the access to the data.

    Empty where there are none, and where the data are gone.
    """
    try:
        access = replace(data_access_from(settings), download=False)
        with usage_errors():
            return tuple(open_source(spec, access).class_names())
    except (UsageError, RunError, OSError):
        return ()
