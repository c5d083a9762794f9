"""folder:PATH: every image below a folder, of any size and kind; subfolders are classes or domains."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, ClassVar

import torch
from torch import Tensor

from experiments.core.paths import expand_home
from experiments.data.core.attribute_files import read_attributes
from experiments.data.core.dataset import AttributeGroup, DataSet, Domains, DomainSource, Fit, Kind, Native
from experiments.data.core.decoding import IMAGE_ENDINGS, Header, Store, first_header
from experiments.data.core.image_files import open_images
from experiments.data.core.layouts import DomainFiles, find_domains, open_domain_files, pair_by_name


class FolderStore(Store):
    """Store of the files below a folder, by their paths with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, name: str) -> BinaryIO:
        file = self.root / name
        if file.exists() and not file.is_file():  # a pipe would be waited for, for ever
            raise ValueError("not a file")
        return file.open("rb")

    def name_of(self, name: str) -> str:
        return str(self.root / name)

    def stamp(self, name: str) -> str:
        """A stamp of path, size and time.

        The path belongs to it: two folders, unpacked from one source, may agree in all the rest.
        """
        file = self.root / name
        try:
            status = file.stat()
        except OSError:
            return f"{file.absolute()} missing"
        return f"{file.absolute()} {status.st_size} {status.st_mtime_ns}"


class Folder(DomainSource):
    """Folder source: images below a folder, subfolders included, in the order of their paths.

    Hidden files are skipped.

    Where every image lies in a subfolder and there are at least two of these, they are the classes. Where
    subfolders are domains, all images are one set, unless both domains are asked for. A list of attributes
    in the folder gives the attributes of each image.
    """

    kind: ClassVar[Kind] = "images"

    def native(self) -> Native:
        """The native shape: any size; the channels of the first image."""
        header = first_header(self._store, self._names, self.access.skip_bad)
        return Native(channels=header.channels, first=header[:2]) if header else Native(channels=3)

    def class_names(self) -> Sequence[str]:
        return classes_from_paths(self._names)[1]

    def attribute_groups(self) -> Sequence[AttributeGroup]:
        known = read_attributes(self._store.root, self._names)
        return super().attribute_groups() if known is None else known.groups

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens all images at `size`, as `open_images` does."""
        labels, classes = classes_from_paths(self._names)
        known = read_attributes(self._store.root, self._names)
        return open_images(self._store, self._names, size, channels, fit, self.access, labels, classes, known)

    def native_domains(self, paired: bool) -> Native:
        """The native shape of both domains: any size; the channels of the first images, the larger number."""
        headers = [header for side in self._sides(paired) if (header := self._first_header(side))]
        if not headers:
            return Native(channels=3)
        return Native(channels=max(header.channels for header in headers), first=headers[0][:2])

    def open_domains(
        self,
        size: tuple[int, int] | None,
        channels: int | None,
        fit: Fit,
        paired: bool,
        held_out: bool = False,
    ) -> Domains:
        """Opens the images of both domains at `size`, where `find_domains` finds them; pairs by their names.

        Raises ValueError where `open_images` does, for a domain that is missing, and for images without a
        partner.
        """
        channels = channels or self.native_domains(paired).channels or 3
        sides = self._sides(paired, held_out)
        a, b = open_domain_files(self._store, sides, size, channels, fit, self.access, paired)
        return Domains(a, b, paired=paired)

    def _sides(self, paired: bool, held_out: bool = False) -> tuple[DomainFiles, DomainFiles]:
        """The files of both domains."""
        sides = find_domains(self._store.root, self._names, held_out)
        return pair_by_name(self._store.root, *sides) if paired else sides

    def _first_header(self, side: DomainFiles) -> Header | None:
        header = first_header(self._store, side.names, self.access.skip_bad)
        return header._replace(width=header.width // 2) if header and side.half else header

    @cached_property
    def _store(self) -> FolderStore:
        if not self.argument:
            raise ValueError("data 'folder' needs a path: write --data folder:PATH")
        root = expand_home(self.argument)
        try:
            if root.is_dir():
                return FolderStore(root)
            problem = "is a file, not a folder" if root.exists() else "does not exist"
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        raise ValueError(f"{root} {problem}: write --data folder:PATH with a folder of images")

    @cached_property
    def _names(self) -> list[str]:
        return images_below(self._store.root)


def images_below(root: Path) -> list[str]:
    """Lists image files in a folder and its subfolders, by their paths below it.

    Raises ValueError where there are none, and for a subfolder that cannot be read.
    """
    names = sorted_image_paths(_walk(root))
    if not names:
        raise ValueError(f"no images below {root} (looked for {' '.join(IMAGE_ENDINGS)})")
    return names


def sorted_image_paths(paths: Iterable[str]) -> list[str]:
    """Filters the paths of visible image files and sorts them by their bytes, alike in every locale."""

    def counts(path: str) -> bool:
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))
        return path.lower().endswith(IMAGE_ENDINGS) and not hidden

    return sorted(filter(counts, paths), key=_bytes_of)


def classes_from_paths(paths: Sequence[str]) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels and class names from paths: the first folders, where every file is in one of several."""
    tops = [path.partition("/")[0] for path in paths]
    classes = sorted(set(tops), key=_bytes_of)
    if len(classes) < 2 or not all("/" in path for path in paths):
        return None, ()
    numbers = {name: number for number, name in enumerate(classes)}
    return torch.tensor([numbers[top] for top in tops]), tuple(classes)


def _bytes_of(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _walk(root: Path) -> Iterator[str]:
    """Walks the paths of the files below `root`, with forward slashes; linked folders are entered once."""

    def fail(error: OSError) -> None:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}")

    entered = {os.path.realpath(root)}  # a link may lead back up, or to a folder already seen
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=fail):
        here = Path(folder).relative_to(root)
        new = []
        for name in sorted(subfolders):
            real = os.path.realpath(Path(folder, name))
            if not name.startswith(".") and real not in entered:
                entered.add(real)
                new.append(name)
        subfolders[:] = new
        yield from ((here / name).as_posix() for name in files)
