"""lmdb:DIR: encoded images in a database of LMDB, as StyleGAN2's PyTorch ports, LSUN and BasicSR write it."""

import importlib
import io
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from torch import Tensor

from experiments.core.paths import expand_home
from experiments.data.core.arrangement import Arrangement, arrange
from experiments.data.core.class_labels import number_classes
from experiments.data.core.database_pages import DamagedDatabaseError, check_database
from experiments.data.core.decoding import MOST_BYTES, Store
from experiments.data.core.label_files import DATASET_JSON, read_labels
from experiments.data.core.listed_images import ListedImageSource, file_stamp
from experiments.data.core.picture_options import ImageFileOptions
from losses.core.options import option

PACKAGE = 'pip install "gans[lmdb]"'
DATA_FILE = "data.mdb"
BY_SIZE = re.compile(r"(\d+)-(\d{5,})")  # keys of StyleGAN2's ports: size and number
IMAGE = re.compile(r"(img|image)([-_]?\d+)")  # keys of images that have keys of labels beside them
LABEL = "label{}"
COUNTS = ("length", "num-samples", "num_samples", "size", "__len__", "__keys__", "meta")
MOST_LABEL_BYTES = 64

# A database may be open once in a process, and not after that was forked.
_environments: dict[tuple[int, str], tuple[str, Any]] = {}
_opening = threading.Lock()


@dataclass(frozen=True)
class DatabaseOptions(ImageFileOptions):
    """Options of databases."""

    image: str | None = option(
        None,
        "Beginning of the keys of the images, such as 256- where there are several sizes; default: found.",
    )


class LmdbStore(Store):
    """Store of the values of a database, by their keys; opened to read, without a lock.

    Raises ValueError, in one line, where it cannot be opened or is cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path / DATA_FILE if path.is_dir() else path
        self._stamp = file_stamp(self._file)
        with self._named_errors():
            self._check_file()

    def keys(self) -> Iterator[str]:
        """Lists the keys, by their bytes."""
        with self._named_errors(), self._environment().begin() as reading, reading.cursor() as cursor:
            for key in cursor.iternext(values=False):
                yield key.decode("utf-8", "surrogateescape")

    def value(self, name: str, most_bytes: int) -> bytes:
        """Reads a value. Raises ValueError for one of more than `most_bytes`, KeyError without one."""
        with self._named_errors(), self._environment().begin(buffers=True) as reading:
            found = reading.get(name.encode("utf-8", "surrogateescape"))
            if found is None:
                raise KeyError(name)
            if len(found) > most_bytes:
                raise ValueError(f"it has more than {most_bytes:,} bytes, too many to be read safely")
            return bytes(found)

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.value(name, MOST_BYTES))

    def size_of(self, name: str) -> int:
        with self._named_errors(), self._environment().begin(buffers=True) as reading:
            return len(reading.get(name.encode("utf-8", "surrogateescape")) or b"")

    def name_of(self, name: str) -> str:
        return f"{name} in {self.path}"

    def stamp(self, name: str) -> str:
        return f"{self._stamp} {name}"

    def _environment(self) -> Any:
        """The opened database of this process."""
        key = os.getpid(), os.path.realpath(self._file)
        with _opening:
            stamp, environment = _environments.get(key, ("", None))
            if stamp != self._stamp:
                if environment is not None:  # the file was written anew since
                    environment.close()
                is_folder = self.path.is_dir()
                environment = _library().open(
                    str(self.path), subdir=is_folder, readonly=True, lock=False, readahead=False, create=False
                )
                _environments[key] = self._stamp, environment
            return environment

    def _check_file(self) -> None:
        """Checks that the file is whole: to read beyond its end, or a damaged page, ends the process."""
        if not self._file.exists():
            what = f"has no {DATA_FILE}" if self.path.exists() else "does not exist"
            raise ValueError(f"{self.path} {what}: write --data lmdb:DIR with the folder of a database")
        if not self._file.is_file():
            raise ValueError(f"{self._file} is no regular file")
        try:
            check_database(self._file)
        except DamagedDatabaseError as error:
            raise ValueError(f"{self.path} {error}") from error
        except OSError as error:
            raise ValueError(f"{self._file} cannot be read: {error.strerror or error}") from error

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turns errors of the library into one line that names the database."""
        library = _library()
        try:
            yield
        except library.Error as error:
            reason = str(error).rpartition(": ")[2]
            raise ValueError(f"{self.path} is no database of LMDB, or is damaged ({reason})") from error


def _library() -> Any:
    """The package lmdb. Raises ValueError where it is not installed."""
    try:
        return importlib.import_module("lmdb")
    except ImportError as error:
        raise ValueError(f"data 'lmdb' needs the package lmdb; get it with: {PACKAGE}") from error


class Lmdb(ListedImageSource):
    """LMDB source: the images of a database, in the order of their keys.

    Keys `256-00000` are the images of one size, by default the largest; keys `image-…` may have labels in
    `label-…`; keys with folders (`cat/1.png`) and a `dataset.json` mean what they mean in a folder. What else
    there is counts as an image.
    """

    options_type: ClassVar[type] = DatabaseOptions

    @property
    def location(self) -> str:
        return str(self.store.path)

    @cached_property
    def store(self) -> LmdbStore:
        if not self.argument:
            raise ValueError("data 'lmdb' needs a database: write --data lmdb:DIR")
        path = expand_home(self.argument)
        return self.set_value_range(LmdbStore(path))

    @cached_property
    def keys(self) -> Sequence[str]:
        """Keys of the database, sorted."""
        return list(self.store.keys())

    @cached_property
    def arrangement(self) -> Arrangement:
        """The images to train on, with the classes that their keys or those beside them tell."""
        if self.options.image is not None:
            names = [key for key in self.keys if key.startswith(self.options.image)]
        else:
            names = [key for key in self.keys if key not in (*COUNTS, DATASET_JSON)]
            numbered = [key for key in names if IMAGE.fullmatch(key)]
            names = numbered or _largest(names)
        if not names:
            begun = f" that begin with {self.options.image}" if self.options.image is not None else ""
            raise ValueError(f"{self.location} has no images: {len(self.keys):,} keys, none of images{begun}")
        if any("/" in key for key in names):
            return arrange(names, set(self.keys), self.location)
        return Arrangement(names)

    def classes_of(self, found: Arrangement) -> tuple[Tensor | None, Sequence[str]]:
        file = found.folder + DATASET_JSON
        if file in set(self.keys):
            names = [name.removeprefix(found.folder) for name in found.names]
            return read_labels(self.store.name_of(file), self.store.value(file, MOST_BYTES), names)
        keys = [LABEL.format(word[2]) for name in found.names if (word := IMAGE.fullmatch(name))]
        if found.labels is not None or not keys or not set(keys) & set(self.keys):
            return found.labels, found.classes
        return number_classes(f"labels in {self.location}", [self._label(key) for key in keys], "mend them")

    def _label(self, key: str) -> str | int:
        """Reads a label. Raises ValueError for one that is missing, or no short text."""
        try:
            text = self.store.value(key, MOST_LABEL_BYTES).decode().strip()
        except KeyError as error:
            raise ValueError(f"{self.location} has no {key}, but other labels: add it") from error
        except ValueError as error:
            raise ValueError(f"{key} in {self.location} is no label: write a number or a word") from error
        return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text


def _largest(names: list[str]) -> list[str]:
    """The images of the largest size, where all keys name sizes; else all."""
    sizes = [int(found[1]) if (found := BY_SIZE.fullmatch(name)) else 0 for name in names]
    if not sizes or min(sizes) == 0:
        return names
    return [name for name, size in zip(names, sizes, strict=True) if size == max(sizes)]
