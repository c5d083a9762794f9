"""The base of sources of image files that are arranged in folders, wherever these lie."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

from torch import Tensor

from experiments.data.core.arrangement import Arrangement, arrange, remarks_on_files
from experiments.data.core.attribute_files import read_attributes
from experiments.data.core.dataset import Attributes, NoHeldOutDataError
from experiments.data.core.decoding import read_content
from experiments.data.core.image_source import StoredImageSource
from experiments.data.core.label_files import DATASET_JSON, read_labels


class ImageFileSource(StoredImageSource, ABC):
    """Source of image files in a store, in the order of their paths, arranged by `arrange`.

    The classes are the labels of a `dataset.json`, or else the folders. A list of attributes beside the
    images gives the attributes of each.
    """

    @property
    @abstractmethod
    def files(self) -> Sequence[str]:
        """Paths of all files in the store."""

    @property
    @abstractmethod
    def images(self) -> Sequence[str]:
        """Paths of all image files, sorted."""

    @cached_property
    def arrangement(self) -> Arrangement:
        """The images to train on, and their classes by folders."""
        return arrange(self.images, set(self.files), self.location)

    @property
    def held_out_arrangement(self) -> Arrangement:
        """The images of the part for tests, and their classes by folders."""
        names = self.arrangement.held_out
        if not names:
            raise NoHeldOutDataError(
                f"{self.location} has no test/ beside a train/: put further images there"
            )
        return arrange(names, set(self.files), self.location, is_split=True)

    @property
    def remarks_on_others(self) -> tuple[str, ...]:
        return remarks_on_files(self.files)

    def classes_of(self, found: Arrangement) -> tuple[Tensor | None, Sequence[str]]:
        """The labels of a `dataset.json`, or else the classes by folders."""
        file = found.folder + DATASET_JSON
        if file not in set(self.files):
            return found.labels, found.classes
        names = [name.removeprefix(found.folder) for name in found.names]
        return read_labels(self.store.name_of(file), read_content(self.store, file), names)

    @cached_property
    def attributes(self) -> Attributes | None:
        found = self.arrangement
        return read_attributes(self.store, set(self.files), found.outer_folders, found.names, self.images)
