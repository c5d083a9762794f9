"""CelebA: 162,770 RGB photographs of faces, aligned, 218 high and 178 wide."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from experiments.data.core.arguments import check_no_argument
from experiments.data.core.attribute_files import CELEBA as ATTRIBUTES
from experiments.data.core.attribute_files import read_celeba
from experiments.data.core.dataset import AttributeGroup, DataSet, Fit, Native
from experiments.data.core.decoding import MOST_TEXT_BYTES
from experiments.data.core.image_files import open_images
from experiments.data.core.named_sets import Files, NamedSet, torchvision_datasets
from experiments.data.core.pixels import check_shape
from experiments.data.folder import FolderStore
from metrics.core.input_files import read_input_file

PARTITION, IMAGES = "list_eval_partition.txt", "img_align_celeba"
ARCHIVE = f"{IMAGES}.zip"
TRAIN, TEST, SPLITS = "0", "2", ("0", "1", "2")  # as the partition calls them: train, validation, test


class Celeba(NamedSet):
    """CelebA source: the training split of the aligned and cropped images (Liu et al. 2015), in order.

    Their 40 attributes are read where the list of these lies beside the partition.
    """

    name: ClassVar[str] = "celeba"
    size: ClassVar[tuple[int, int]] = (218, 178)
    channels: ClassVar[int] = 3
    folder: ClassVar[str] = "celeba"
    files: ClassVar[tuple[str, ...]] = (PARTITION, IMAGES)

    def native(self) -> Native:
        """The native shape: any size; papers take these pictures at 64 or 128."""
        return Native(channels=super().native().channels)

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens all images at `size`, as `open_images` does; "auto" crops.

        Raises ValueError when files are missing or damaged, for an image without attributes where there is a
        list of these, and for another size than 218×178 with `fit` "error"; RunError when a download fails.
        """
        return self._opened(TRAIN, size, channels, fit)

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        """Opens the images of the test split."""
        return self._opened(TEST, size, channels, fit)

    def _opened(self, split: str, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> DataSet:
        check_no_argument(self.name, self.argument)
        size, channels = size or self.size, channels or self.channels
        check_shape(self.name, self.size, size, channels, fit)
        partition, images = self.found()
        fit = "crop" if fit == "auto" else fit
        names = _names(partition, split)
        listed = partition.with_name(ATTRIBUTES)
        attributes = read_celeba(listed).of(names) if listed.exists() else None
        return open_images(
            FolderStore(images), names, size, channels, fit, self.access, attributes=attributes
        )

    def attribute_groups(self) -> Sequence[AttributeGroup]:
        listed = self.found()[0].with_name(ATTRIBUTES)
        return read_celeba(listed).groups if listed.exists() else ()

    def fault(self, files: Files) -> str:
        """Names images that the partition lists but that are missing; empty if there are none."""
        partition, images = files
        try:
            present = {entry.name for entry in os.scandir(images)}
            lacking = [name for name in _names(partition, TRAIN) if name not in present]
        except (OSError, ValueError) as error:
            return str(error)
        more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
        return f"{images} lacks {lacking[0]}{more}" if lacking else ""

    def fetch(self, root: Path, below: Path) -> None:
        datasets = torchvision_datasets()
        there = root / self.folder
        for file_id, checksum, name in datasets.CelebA.file_list:
            if name not in (PARTITION, ATTRIBUTES, ARCHIVE) or datasets.utils.check_integrity(
                there / name, checksum
            ):
                continue
            try:
                datasets.utils.download_file_from_google_drive(file_id, there, name, checksum)
            except Exception as error:  # most often Google's quota
                remedy = f"put {name} into {there} by hand, and run this again"
                raise RuntimeError(f"{name}: {error}; {remedy}") from error
        datasets.utils.extract_archive(there / ARCHIVE, below / self.folder)


def _names(partition: Path, split: str) -> list[str]:
    """Names of the images of a split. Raises ValueError where the file is not CelebA's partition."""
    try:
        content = read_input_file(partition, MOST_TEXT_BYTES).decode("ascii")
        rows = [line.split() for line in content.splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{partition} cannot be read: {error}") from error
    names = [row[0] for row in rows if row[1:] == [split]]
    if not names or not all(len(row) == 2 and row[1] in SPLITS for row in rows):
        raise ValueError(f"{partition} is damaged: its lines must be the name of an image and 0, 1 or 2")
    return names
