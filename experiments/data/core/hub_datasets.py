"""Data sets of the Hugging Face library `datasets`: loaded without running their code, and their columns."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from experiments.core.paths import expand_home

PACKAGE = 'pip install "gans[hf]"'
SAVED = ("dataset_dict.json", "state.json")  # of a folder that save_to_disk wrote
FILE_FORMS = {".parquet": "parquet", ".arrow": "arrow"}
LABELS = ("label", "labels", "class", "cls", "target", "fine_label")  # names that are looked for
BINARY = ("binary", "large_binary", "binary_view")


class DatasetName(NamedTuple):
    """A data set as a spec names it: a path or a name on the Hub, a configuration, and a split."""

    name: str
    config: str | None
    split: str | None


def parse_name(argument: str) -> DatasetName:
    """Parses `NAME[/CONFIG][@SPLIT]`, where NAME is a path that exists, or `OWNER/NAME` on the Hub."""
    whole, at, split = argument.rpartition("@")
    if not at or expand_home(argument).exists():
        whole, split = argument, ""
    if expand_home(whole).exists():
        return DatasetName(whole, None, split or None)
    name, slash, config = whole.rpartition("/")
    if slash and (whole.count("/") > 1 or expand_home(name).exists()):
        return DatasetName(name, config, split or None)
    return DatasetName(whole, None, split or None)


def load_splits(name: DatasetName, download: bool) -> Mapping[str, Any]:
    """Loads the splits of a data set, mapped from disk.

    Args:
        download: whether it may be fetched from the Hub; else it has to be on this machine.

    Raises ValueError, in one line, where it cannot be loaded.
    """
    library = _library()
    path = expand_home(name.name)
    if name.config is not None and (path.is_file() or _is_saved(path)):
        what = "is a file" if path.is_file() else "was saved by save_to_disk"
        raise ValueError(
            f"hf:{name.name}/{name.config}: {name.name} {what}, which has no configurations, and there is no "
            f"{name.config} in it: write --data hf:{name.name}, or mend the path"
        )
    try:
        with _quietly(library, offline=not download):
            found = _load(library, path, name)
    except Exception as error:  # the library raises anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if not path.exists() and not download:
            raise ValueError(
                f"hf:{name.name} is no folder, and not in the cache of this machine ({reason}): "
                "fetch it with --download"
            ) from error
        if name.config is not None and path.exists():
            reason += f"; {name.name} has no {name.config}, as a folder or as a configuration: mend the path"
        raise ValueError(f"hf:{name.name} cannot be loaded: {reason}") from error
    splits = found if isinstance(found, Mapping) else {str(found.split or "train"): found}
    if not splits:
        raise ValueError(f"hf:{name.name} has no splits")
    return splits


def _load(library: Any, path: Path, name: DatasetName) -> Any:
    """Loads from a folder that was saved, from a file, or from whatever `load_dataset` finds by the name."""
    if _is_saved(path):
        return library.load_from_disk(str(path), keep_in_memory=False)
    if path.is_file():
        form = FILE_FORMS.get(path.suffix.lower())
        if form is None:
            raise ValueError("it is a file, but none of .parquet or .arrow")
        return library.load_dataset(form, data_files=str(path), keep_in_memory=False)
    place = str(path) if path.exists() else name.name
    return library.load_dataset(place, name.config, keep_in_memory=False)


def _is_saved(path: Path) -> bool:
    """Whether a folder was written by save_to_disk."""
    return path.is_dir() and any((path / each).exists() for each in SAVED)


def choose_split(splits: Mapping[str, Any], name: DatasetName) -> str:
    """Chooses the split that is asked for, or the one to train on. Raises ValueError without one."""
    names = ", ".join(splits)
    if name.split is not None:
        if name.split not in splits:
            raise ValueError(f"hf:{name.name} has no split {name.split}; it has {names}")
        return name.split
    if "train" in splits or len(splits) == 1:
        return "train" if "train" in splits else next(iter(splits))
    raise ValueError(f"hf:{name.name} has the splits {names}: name one, --data hf:NAME@{next(iter(splits))}")


def image_column(table: Any, wanted: str | None, where: str) -> str:
    """The column of the images: the one that is asked for, or the only one.

    Raises ValueError for one that holds no images, and where there is none or several.
    """
    features = table.features
    found = [name for name, feature in features.items() if _holds_images(feature)]
    if wanted is None and len(found) == 1:
        return found[0]
    listed = ", ".join(found)
    if wanted is None and not found:
        raise ValueError(f"{where} has no column of images; {advise_columns(table)}")
    if wanted is None:
        raise ValueError(f"{where} has several columns of images ({listed}): --set data.image={found[0]}")
    if wanted not in features:
        raise ValueError(f"{where} has no column {wanted}; it has {', '.join(features)}")
    if not _holds_images(features[wanted]):
        raise ValueError(
            f"column {wanted} of {where} holds {_describe(features[wanted])}, no images; "
            f"{advise_columns(table, wanted)}"
        )
    return wanted


def advise_columns(table: Any, refused: str = "") -> str:
    """Advises which column to take for images, if any but the `refused` one, or what to do without one."""
    features = {name: feature for name, feature in table.features.items() if name != refused}
    images = [name for name, feature in features.items() if _holds_images(feature)]
    if images:
        return f"take --set data.image={images[0]}"
    arrays = [name for name, feature in table.features.items() if _holds_arrays(feature)]
    if arrays:
        return (
            f"column {arrays[0]} holds arrays: save them by numpy.save as one, (N, H, W) or (N, H, W, C), "
            "and write --data npy:FILE"
        )
    listed = ", ".join(f"{name} ({_describe(feature)})" for name, feature in features.items())
    return f"its other columns are {listed}" if refused and listed else f"it has {listed or 'no other'}"


def label_column(table: Any, wanted: str | None, where: str) -> str | None:
    """The column of the labels: that asked for, or one of classes or of a usual name; None without one.

    Raises ValueError for one that holds no labels.
    """
    features = table.features
    if wanted is not None:
        if wanted not in features:
            raise ValueError(f"{where} has no column {wanted}; it has {', '.join(features)}")
        if not _holds_labels(features[wanted]):
            raise ValueError(
                f"column {wanted} of {where} holds {_describe(features[wanted])}, no labels: choose another"
            )
        return wanted
    usual = [name for name in LABELS if name in features and _holds_labels(features[name])]
    classes = [name for name, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    return next((name for name in (*(name for name in usual if name in classes), *classes, *usual)), None)


def _holds_images(feature: Any) -> bool:
    """Whether a column holds encoded images, declared or as bytes."""
    if isinstance(feature, Mapping):
        return set(feature) == {"bytes", "path"}
    return type(feature).__name__ == "Image" or is_binary(feature)


def is_binary(feature: Any) -> bool:
    """Whether a column holds bytes, of which nothing says what they are."""
    return not isinstance(feature, Mapping) and getattr(feature, "dtype", "") in BINARY


def _holds_arrays(feature: Any) -> bool:
    """Whether a column holds an array of numbers for each sample, declared as such or as lists of lists."""
    if type(feature).__name__.startswith("Array"):
        return True
    inner = _elements_of(feature)
    return inner is not None and _elements_of(inner) is not None


def _elements_of(feature: Any) -> Any:
    """The feature of the elements of lists; None for what is no list."""
    if isinstance(feature, list):
        return feature[0] if feature else None
    return getattr(feature, "feature", None)


def _holds_labels(feature: Any) -> bool:
    """Whether a column holds a number or a word for each sample."""
    dtype = str(getattr(feature, "dtype", ""))
    is_plain = type(feature).__name__ in ("Value", "ClassLabel")
    return is_plain and (dtype.startswith(("int", "uint")) or dtype in ("bool", "string", "large_string"))


def _describe(feature: Any) -> str:
    """Describes what a column holds."""
    if type(feature).__name__ == "ClassLabel":
        return "classes"
    return str(feature.dtype) if type(feature).__name__ == "Value" else type(feature).__name__.lower()


def _library() -> Any:
    """The library. Raises ValueError where it is not installed."""
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise ValueError(f"data 'hf' needs the package datasets; get it with: {PACKAGE}") from error


@contextmanager
def _quietly(library: Any, offline: bool) -> Iterator[None]:
    """Silences the library, and keeps it from the network where it is to be `offline`."""
    hub = importlib.import_module("huggingface_hub.constants")
    shows_progress = library.is_progress_bar_enabled()
    level = library.logging.get_verbosity()
    with ExitStack() as stack:
        if offline:
            stack.enter_context(patch.object(library.config, "HF_HUB_OFFLINE", True))
            stack.enter_context(patch.object(hub, "HF_HUB_OFFLINE", True))
        library.disable_progress_bars()
        library.logging.set_verbosity(library.logging.CRITICAL)  # an error is said in one line
        try:
            yield
        finally:
            library.logging.set_verbosity(level)
            if shows_progress:
                library.enable_progress_bars()
