"""zip:FILE: every image in a zip file, read from there without unpacking; folders are classes."""

import os
import struct
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

from experiments.core.paths import expand_home
from experiments.data.core.dataset import DataSet, Fit, Kind, Native, Source
from experiments.data.core.decoding import IMAGE_ENDINGS, Store, first_header
from experiments.data.core.image_files import open_images
from experiments.data.folder import classes_from_paths, sorted_image_paths

ENCRYPTED = 0x1  # bit of a member's flags
LOCAL_HEADER = 30  # bytes before a member's name


class ZipStore(Store):
    """Store of the members of a zip file.

    Its directory is read once; every member that is opened has a file handle of its own, so that neither
    threads nor forked processes move each other's position.

    Raises ValueError where the file does not exist, or is no zip file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with zipfile.ZipFile(file) as directory:
                self.members = {info.filename: info for info in directory.infolist() if not info.is_dir()}
        except IsADirectoryError as error:
            raise ValueError(f"{file} is a folder, not a zip file: write --data folder:{file}") from error
        except FileNotFoundError as error:
            raise ValueError(f"{file} does not exist: write --data zip:FILE with a zip file") from error
        except OSError as error:
            raise ValueError(f"{file} cannot be read: {error.strerror or error}") from error
        except Exception as error:  # a damaged directory raises anything
            raise ValueError(f"{file} is not a zip file, or is damaged: make or fetch it anew") from error

    def open(self, name: str) -> BinaryIO:
        info = self.members[name]
        file = self.file.open("rb")
        try:
            file.seek(info.header_offset)
            header = file.read(LOCAL_HEADER)
            if len(header) < LOCAL_HEADER or not header.startswith(b"PK\3\4"):
                raise zipfile.BadZipFile("the zip file is damaged")
            file.seek(sum(struct.unpack("<HH", header[-4:])), os.SEEK_CUR)  # past the name and extra fields
            member = zipfile.ZipExtFile(file, "r", info, close_fileobj=True)  # checks the sum at its end
            return cast(BinaryIO, member)
        except BaseException:
            file.close()
            raise

    def name_of(self, name: str) -> str:
        return f"{name} in {self.file}"

    def stamp(self, name: str) -> str:
        """A stamp by content: a zip file that is moved or fetched anew is the same one."""
        info = self.members[name]
        return f"{name} {info.file_size} {info.CRC}"


class Zip(Source):
    """Zip source: images anywhere in a zip file, in the order of their paths; hidden ones are skipped.

    Classes are those of the unpacked folder, where a folder around everything does not count.
    """

    kind: ClassVar[Kind] = "images"

    def native(self) -> Native:
        """The native shape: any size; the channels of the first image."""
        header = first_header(self._store, self._names, self.access.skip_bad)
        return Native(channels=header.channels, first=header[:2]) if header else Native(channels=3)

    def class_names(self) -> Sequence[str]:
        return classes_from_paths(_without_common_folder(self._names))[1]

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens all images at `size`, as `open_images` does."""
        labels, classes = classes_from_paths(_without_common_folder(self._names))
        return open_images(self._store, self._names, size, channels, fit, self.access, labels, classes)

    @cached_property
    def _store(self) -> ZipStore:
        if not self.argument:
            raise ValueError("data 'zip' needs a file: write --data zip:FILE")
        return ZipStore(expand_home(self.argument))

    @cached_property
    def _names(self) -> list[str]:
        file = self._store.file
        names = sorted_image_paths(self._store.members)
        if not names:
            raise ValueError(f"no images in {file} (looked for {' '.join(IMAGE_ENDINGS)})")
        for name in names:
            if self._store.members[name].flag_bits & ENCRYPTED:
                raise ValueError(f"{file} is encrypted ({name}): unpack it, and write --data folder:PATH")
        return names


def _without_common_folder(names: list[str]) -> list[str]:
    """Removes a folder around everything from names."""
    while all("/" in name for name in names) and len({name.partition("/")[0] for name in names}) == 1:
        names = [name.partition("/")[2] for name in names]
    return names
