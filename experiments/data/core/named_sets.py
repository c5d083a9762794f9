"""Published sets of pictures of one size, found where they usually lie, or downloaded where allowed.

Every set lies below a root as torchvision lays it out, so that copies which are already there are used.
torchvision itself is needed for downloads only: it knows addresses and checksums, and is slow to import.
"""

import importlib
import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NamedTuple

from filelock import FileLock
from torch import Tensor

from experiments.core.errors import RunError
from experiments.core.paths import cache_folder, expand_home
from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import (
    DataAccess,
    Fit,
    InMemoryData,
    Kind,
    Native,
    NoHeldOutDataError,
    Source,
)
from experiments.data.core.pixels import check_shape, resize_and_convert

Files = tuple[Path, ...]


class NamedSet(Source):
    """Base of sources of published sets: the training pictures, found on disk or downloaded.

    It is looked for in `--data-root`, in the folders of the environment variable GANS_DATA (separated as in
    PATH), where the system installs it, in the cache folder and in `./data`: the first that holds all its
    files is taken. `--download` fetches it into `--data-root`, or else into the cache folder.

    Attributes:
        name: the word after `--data`.
        size: (height, width) of its pictures.
        channels: channels of its pictures.
        folder: folder of its files below a root, as torchvision has it.
        files: their names.
        held_out_files: names of the files of the test part, which lie beside them; empty without one.
        endings: endings that may follow these names.
        installed: folders where a package of the system puts it.
        remedy: how else it can be had, in words.
        classes: the names of its classes; empty without labels.
    """

    kind: ClassVar[Kind] = "images"
    name: ClassVar[str]
    size: ClassVar[tuple[int, int]]
    channels: ClassVar[int]
    folder: ClassVar[str]
    files: ClassVar[tuple[str, ...]]
    held_out_files: ClassVar[tuple[str, ...]] = ()
    endings: ClassVar[tuple[str, ...]] = ("",)
    installed: ClassVar[tuple[Path, ...]] = ()
    remedy: ClassVar[str] = ""
    classes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def fault(self, files: Files) -> str:
        """Says why `files`, which have the right names, are not the whole set; empty where nothing is wrong.

        Must be cheap.
        """

    @abstractmethod
    def fetch(self, root: Path, below: Path) -> None:
        """Downloads the set, checked, into the empty folder `below`, laid out as under a root.

        Archives are kept in `root`, where torchvision looks for them.
        """

    def native(self) -> Native:
        check_no_argument(self.name, self.argument)
        if not self.access.download:
            self.found()
        return Native(self.size, self.channels)

    def class_names(self) -> Sequence[str]:
        return self.classes

    def found(self) -> Files:
        """Finds the files of the set, in the order of `files`; downloads them if missing and allowed.

        Raises ValueError where they are missing, RunError where the download fails.
        """
        found, faults = self._search()
        if not found and self.access.download:
            self._download()
            found, faults = self._search()
        if found:
            return found
        folders = ", ".join(map(str, dict.fromkeys([*search_roots(self.access), *self.installed, "./data"])))
        files = self.files[0] + (f" … {self.files[-1]}" if len(self.files) > 1 else "")
        remedy = "fetch it with --download, or name the folder that holds it with --data-root DIR"
        remedy += f", or {self.remedy}" if self.remedy else ""
        found_out = "".join(f"; {fault}" for fault in faults)
        raise ValueError(f"{self.name} ({Path(self.folder, files)}) is not in {folders}{found_out}: {remedy}")

    def found_held_out(self) -> Files:
        """Finds the files of the test part, beside those for training.

        Raises NoHeldOutDataError where one is missing, and as `found` does.
        """
        folder = self.found()[0].parent
        if not self.held_out_files:
            raise NoHeldOutDataError(f"{self.name} has no part that is held out from training")
        paths = [[folder / (name + ending) for ending in self.endings] for name in self.held_out_files]
        found = tuple(next((path for path in each if os.access(path, os.F_OK)), each[0]) for each in paths)
        if lacking := [path.name for path in found if not path.exists()]:
            raise NoHeldOutDataError(f"the test part is missing: put {' and '.join(lacking)} into {folder}")
        return found

    def _search(self) -> tuple[Files, list[str]]:
        """Searches the first whole set; returns its files, or none, and faults of sets that are not whole."""
        faults = []
        # The set's own folder first: only there are its files surely meant to be this set.
        folders = [Path(root, below) for root in search_roots(self.access) for below in (self.folder, "")]
        for folder in dict.fromkeys([*folders, *self.installed, Path("data", self.folder)]):
            paths = [[folder / (name + ending) for ending in self.endings] for name in self.files]
            found = tuple(next((path for path in each if os.access(path, os.F_OK)), None) for each in paths)
            whole = tuple(path for path in found if path)
            if len(whole) == len(found):
                fault = self.fault(whole)
                if not fault:
                    return whole, []
                faults.append(fault)
            elif whole:
                lacking = [name for name, path in zip(self.files, found, strict=True) if not path]
                faults.append(f"{folder} lacks {', '.join(lacking)}")
        return (), faults

    def _download(self) -> None:
        """Downloads the set.

        Its files come to their places when all of them are there, so that what a broken download leaves
        behind is never taken for the set.
        """
        root = self.access.root or cache_folder()
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f".{self.name}.lock"):
                if self._search()[0]:
                    return  # another process has fetched it meanwhile
                with TemporaryDirectory(prefix=f".{self.name}-", dir=root) as below:
                    self.fetch(root, Path(below))
                    _move(Path(below), root)
        except Exception as error:  # the network, archives and other people's servers raise anything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RunError(
                f"{self.name} could not be downloaded into {root}: {reason}; try again, or fetch it "
                "elsewhere and name its folder with --data-root DIR"
            ) from error


class Pictures(NamedTuple):
    """Pictures of a set, uint8 `(N, C, h, w)`, their labels, int64 `(N,)`, and the names of the classes."""

    images: Tensor
    labels: Tensor | None = None
    classes: Sequence[str] = ()


class InMemoryNamedSet(NamedSet):
    """Base of published sets that are small enough to be read into memory at once."""

    @abstractmethod
    def read(self, files: Files) -> Pictures:
        """Reads the pictures in `files`. Raises ValueError, naming the file, where one is damaged."""

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens pictures uint8 `(N, channels, *size)` in memory, resized once.

        Grey is repeated, and alpha is 255.

        Raises ValueError when files are missing, damaged or of another kind, and for another size than the
        set's own with `fit` "error"; RunError when a download fails.
        """
        return self._opened(self.found, size, channels, fit)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> InMemoryData:
        """Opens the pictures of the test part."""
        return self._opened(self.found_held_out, size, channels, fit)

    def _opened(
        self, find: Callable[[], Files], size: tuple[int, int] | None, channels: int | None, fit: Fit
    ) -> InMemoryData:
        check_no_argument(self.name, self.argument)
        size, channels = size or self.size, channels or self.channels
        check_shape(self.name, self.size, size, channels, fit)
        images, labels, classes = self.read(find())
        return InMemoryData(resize_and_convert(images, size, channels, fit), labels, classes)


def search_roots(access: DataAccess) -> list[Path]:
    """Folders that hold sets, directly or as torchvision lays them out, in the order of the search.

    Raises ValueError for a root that is no folder.
    """
    if access.root and not access.root.is_dir() and (access.root.exists() or not access.download):
        what = "is not a folder" if access.root.exists() else "does not exist"
        raise ValueError(f"--data-root {access.root} {what}: name the folder that holds the data sets")
    named = [expand_home(folder) for folder in os.environ.get("GANS_DATA", "").split(os.pathsep) if folder]
    return [*([access.root] if access.root else []), *named, cache_folder()]


def torchvision_datasets() -> Any:
    """Imports torchvision's sets, for their addresses and checksums: slow, so only when called for."""
    return importlib.import_module("torchvision.datasets")


def _move(source: Path, target: Path) -> None:
    """Moves the content of the folder `source` into `target`, over what has the same names there."""
    for path in source.iterdir():
        there = target / path.name
        if path.is_dir() and there.is_dir():
            _move(path, there)
        else:
            path.replace(there)
