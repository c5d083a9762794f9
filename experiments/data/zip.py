"""zip:FILE: every image in a zip file, read from there without unpacking; folders are classes."""

import io
import os
import struct
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from experiments.core.paths import expand_home
from experiments.data.core.arranged_images import ImageFileSource
from experiments.data.core.arrangement import describe_no_images, remark_on_left_out, sorted_image_paths
from experiments.data.core.decoding import ARRAY_ENDINGS, IMAGE_ENDINGS, MOST_BYTES, Store
from experiments.data.core.file_errors import explain_file_errors
from experiments.data.core.path_names import plain_path
from metrics.core.input_files import open_input_file

ENCRYPTED = 0x1  # bit of a member's flags
LOCAL_HEADER = 30  # bytes before a member's name
STEP_BYTES = 2**16  # that are read at once
# The readers of other methods inflate all that they have read: bzip2 packs a gigabyte into a kilobyte.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _SteadyReader(io.RawIOBase):
    """Reader of a member of a zip file in small steps.

    Without them, a member that inflates to much more than it declares is inflated whole before it is refused.
    """

    def __init__(self, member: zipfile.ZipExtFile) -> None:
        self._member = member

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._member.read(min(len(buffer), STEP_BYTES))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._member.seek(offset, whence)

    def tell(self) -> int:
        return self._member.tell()

    def close(self) -> None:
        self._member.close()
        super().close()


class ZipStore(Store):
    """Store of the members of a zip file.

    Its directory is read once; every member that is opened has a file handle of its own, so that neither
    threads nor forked processes move each other's position.

    Raises ValueError where the file does not exist, or is no zip file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        missing, folder = (
            "write --data zip:FILE with a zip file",
            f", not a zip file: write --data folder:{file}",
        )
        with explain_file_errors(file, missing, folder):
            try:
                with open_input_file(file) as content, zipfile.ZipFile(content) as directory:
                    members = directory.infolist()
            except OSError:
                raise
            except Exception as error:  # a damaged directory raises anything
                raise ValueError(f"{file} is not a zip file, or is damaged: make or fetch it anew") from error
        files = [(plain_path(info.filename), info) for info in members if info.filename[-1:] not in "/\\"]
        self.members = dict(files)
        lost = [path for path, info in files if self.members[path] is not info]
        if lost := sorted_image_paths(lost):
            self.remarks = (
                remark_on_left_out(lost, "because later ones in the zip file have the same path"),
            )

    def open(self, name: str) -> BinaryIO:
        info = self.members[name]
        if info.file_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES // 2**20} MiB, too many to be read safely")
        if info.compress_type not in METHODS:
            raise ValueError(f"it is compressed {_method_name(info)}, which can take any memory")
        file = open_input_file(self.file)
        try:
            file.seek(info.header_offset)
            header = file.read(LOCAL_HEADER)
            if len(header) < LOCAL_HEADER or not header.startswith(b"PK\3\4"):
                raise zipfile.BadZipFile("the zip file is damaged")
            file.seek(sum(struct.unpack("<HH", header[-4:])), os.SEEK_CUR)  # past the name and extra fields
            member = zipfile.ZipExtFile(file, "r", info, close_fileobj=True)  # checks the sum at its end
            return io.BufferedReader(_SteadyReader(member), STEP_BYTES)
        except BaseException:
            file.close()
            raise

    def size_of(self, name: str) -> int:
        return self.members[name].file_size

    def name_of(self, name: str) -> str:
        return f"{name} in {self.file}"

    def stamp(self, name: str) -> str:
        """A stamp by content: a zip file that is moved or fetched anew is the same one."""
        info = self.members[name]
        return f"{name} {info.file_size} {info.CRC}"


class Zip(ImageFileSource):
    """Zip source: images anywhere in a zip file, in the order of their paths; hidden ones are skipped.

    Classes and attributes are those of the unpacked folder.
    """

    @property
    def location(self) -> str:
        return str(self.store.file)

    @property
    def files(self) -> Sequence[str]:
        return list(self.store.members)

    @cached_property
    def store(self) -> ZipStore:
        if not self.argument:
            raise ValueError("data 'zip' needs a file: write --data zip:FILE")
        return self.set_value_range(ZipStore(expand_home(self.argument)))

    @cached_property
    def images(self) -> Sequence[str]:
        file = self.store.file
        names = sorted_image_paths(self.store.members)
        if not names:
            endings = (*IMAGE_ENDINGS, *ARRAY_ENDINGS)
            raise ValueError(describe_no_images(f"in {file}", self.store.members, endings))
        for name in names:
            member = self.store.members[name]
            if member.flag_bits & ENCRYPTED:
                raise ValueError(f"{file} is encrypted ({name}): unpack it, and write --data folder:PATH")
            if member.compress_type not in METHODS:
                raise ValueError(
                    f"{file} is compressed {_method_name(member)} ({name}), which can take any memory: "
                    "unpack it, and write --data folder:PATH"
                )
        return names


def _method_name(member: zipfile.ZipInfo) -> str:
    names = {zipfile.ZIP_BZIP2: "with bzip2", zipfile.ZIP_LZMA: "with LZMA"}
    return names.get(member.compress_type, f"by method {member.compress_type}")
