"""folder:PATH: every image below a folder, of any size and kind; subfolders are classes or domains."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import BinaryIO

from experiments.core.paths import expand_home
from experiments.data.core.arranged_images import ImageFileSource
from experiments.data.core.arrangement import describe_no_images, remarks_on_files, sorted_image_paths
from experiments.data.core.dataset import Domains, DomainSource, Fit, Native
from experiments.data.core.decoding import ARRAY_ENDINGS, IMAGE_ENDINGS, Store
from experiments.data.core.image_files import add_remarks
from experiments.data.core.layouts import (
    DomainFiles,
    find_domains,
    folder_around_domains,
    open_domain_files,
    pair_by_name,
)
from experiments.data.core.surveys import remark_on_kinds
from experiments.data.core.training_part import keep_readable, training_part_of_domains
from metrics.core.input_files import open_input_file


class FolderStore(Store):
    """Store of the files below a folder, by their paths with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = f"{root.absolute()}".rstrip("/") + "/"  # joined as text: there may be a million files

    def open(self, name: str) -> BinaryIO:
        return open_input_file(self.root / name)

    def size_of(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def name_of(self, name: str) -> str:
        return str(self.root / name)

    def stamp(self, name: str) -> str:
        """A stamp of path, size and times.

        The path belongs to it: two folders, unpacked from one source, may agree in all the rest. So does the
        time of the last change of any kind, which a program that sets the other one back cannot hide.
        """
        file = f"{self._prefix}{name}"
        try:
            status = Path(file).stat()
        except OSError:
            return f"{file} missing"
        return f"{file} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


class Folder(ImageFileSource, DomainSource):
    """Folder source: images below a folder, subfolders included, in the order of their paths.

    Hidden files are skipped. Where subfolders are domains, all images for training are one set, unless both
    domains are asked for.
    """

    @property
    def location(self) -> str:
        return str(self.store.root)

    def native_domains(self, paired: bool) -> Native:
        """The native shape of both domains: any size; their channels, RGB where they differ in these.

        Raises ValueError for arrays of numbers that differ in them, which nothing brings to one.
        """
        sides = self._sides(paired)
        natives = [self.native_of(side.names) for side in sides]
        first = next((native.first for native in natives if native.first), None)
        if first and sides[0].half:
            first = first[0], first[1] // 2
        kinds = {native.channels or 3 for native in natives}
        if len(kinds) > 1 and self.typed_store.holds_arrays:
            own, others = (
                f"in {side.folder} of {each.channels}" for side, each in zip(sides, natives, strict=True)
            )
            raise ValueError(f"{self.location}: images {own} and {others} channels: save all with as many")
        return Native(channels=kinds.pop() if len(kinds) == 1 else 3, first=first)

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
        for side in sides:
            self.check_channels(side.names, channels)
        a, b = open_domain_files(self.scaled_store(paired), sides, size, channels, fit, self.access, paired)
        surveys = [
            self.remark_on(data, side.names, fit, side.half is not None, message_prefix=f"{side.folder}: ")
            for data, side in zip((a, b), sides, strict=True)
        ]
        if all(len(survey.kinds) < 2 for survey in surveys):  # else it is said already
            both = surveys[0]._replace(kinds=surveys[0].kinds + surveys[1].kinds)
            add_remarks(a, remark_on_kinds(both, channels))
        add_remarks(a, remarks_on_files(self.files))
        return Domains(a, b, paired=paired)

    def training_names(self, paired: bool | None) -> Sequence[str]:
        if self.holdout_split is None or paired is None:
            return super().training_names(paired)
        sides = self._sides(paired)
        good = [set(keep_readable(self.typed_store, side.names, self.access)) for side in sides]
        kept = [[name in each for name in side.names] for side, each in zip(sides, good, strict=True)]
        if paired:  # with a file that cannot be read, its partner is left out
            kept = [[all(pair) for pair in zip(*kept, strict=True)]] * 2
        a, b = (list(compress(side.names, each)) for side, each in zip(sides, kept, strict=True))
        shows_both = sides[0].half is not None
        return training_part_of_domains((a, b), self.holdout_split, paired, shows_both)

    def _sides(self, paired: bool, held_out: bool = False) -> tuple[DomainFiles, DomainFiles]:
        """The files of both domains."""
        root = self.store.root
        around = folder_around_domains(self.images)
        names = [name[len(around) :] for name in self.images]
        sides = find_domains(root / around, names, held_out)
        first, second = pair_by_name(root / around, *sides) if paired else sides
        return first.within(around), second.within(around)

    @cached_property
    def store(self) -> FolderStore:
        if not self.argument:
            raise ValueError("data 'folder' needs a path: write --data folder:PATH")
        root = expand_home(self.argument)
        try:
            if root.is_dir():
                store = FolderStore(root)
                return self.set_value_range(store)
            problem = "is a file, not a folder" if root.exists() else "does not exist"
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        if root.suffix.lower() == ".zip":
            raise ValueError(
                f"{root} {problem}: write --data zip:{self.argument} for the images in a zip file"
            )
        raise ValueError(f"{root} {problem}: write --data folder:PATH with a folder of images")

    @cached_property
    def files(self) -> Sequence[str]:
        return list(_walk(self.store.root))

    @cached_property
    def images(self) -> Sequence[str]:
        return _images_among(self.store.root, self.files)


def images_below(root: Path) -> tuple[list[str], tuple[str, ...]]:
    """Lists image files in a folder and its subfolders, by their paths below it, with remarks on the others.

    Raises ValueError where there are none, and for a subfolder that cannot be read.
    """
    files = list(_walk(root))
    return _images_among(root, files), remarks_on_files(files)


def _images_among(root: Path, files: Iterable[str]) -> list[str]:
    files = list(files)
    names = sorted_image_paths(files)
    if not names:
        raise ValueError(describe_no_images(f"below {root}", files, (*IMAGE_ENDINGS, *ARRAY_ENDINGS)))
    return names


def _walk(root: Path) -> Iterator[str]:
    """Walks the paths of the files below `root`, with forward slashes; every folder is entered once.

    Linked folders come last: a folder that is also linked to is known by its own place.
    """

    def fail(error: OSError) -> None:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}")

    entered: set[str] = set()  # a link may lead back up, or to a folder already seen
    starts = deque([root])
    while starts:
        for folder, subfolders, files in os.walk(starts.popleft(), onerror=fail):
            real = os.path.realpath(folder)
            if real in entered:
                subfolders[:] = []
                continue
            entered.add(real)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            starts.extend(link for name in subfolders if (link := Path(folder, name)).is_symlink())
            here = (Path(folder).relative_to(root) / "_").as_posix()[:-1]
            yield from (here + name for name in files)
