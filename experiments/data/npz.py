"""npz:FILE: pictures and labels in a file of several numpy arrays, such as x_train and y_train."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from experiments.core.paths import expand_home
from experiments.data.core.array_images import (
    ArrayOptions,
    ArraySource,
    LabelledPictures,
    count_labels,
)
from experiments.data.core.class_labels import NO_LABELS, ClassLabels, number_classes
from experiments.data.core.picture_arrays import NpzArrays
from experiments.data.core.picture_rows import as_pictures
from losses.core.options import option

PICTURES, LABELS = ("images", "x", "data", "imgs", "samples"), ("labels", "y", "targets")
TRAINING, TEST = ("train",), ("test", "val")
UNNAMED = ("arr_0", "arr_1")  # pictures and labels, as numpy and published samplers write them


@dataclass(frozen=True)
class NpzOptions(ArrayOptions):
    """Options of a file of several arrays."""

    image: str | None = option(None, "Name of the array with the pictures; default: found.")


class Npz(ArraySource):
    """Npz source: arrays by name, mapped where they are not compressed.

    Bytes are images of 8 bits; other numbers, of any channels, are trained on as they are (`data.range`).
    Pictures are called `images`, `x`, `data`, `imgs`, `samples` or `arr_0`, or are the only array; labels
    `labels`, `y`, `targets` or `arr_1`; each with `train` before or behind it, where `test` or `val` are held
    out from training (MedMNIST, Keras).
    """

    options_type: ClassVar[type] = NpzOptions

    @property
    def location(self) -> str:
        return str(self.arrays.path)

    @cached_property
    def arrays(self) -> NpzArrays:
        """The arrays of the file by name."""
        if not self.argument:
            raise ValueError("data 'npz' needs a file: write --data npz:FILE")
        return NpzArrays(expand_home(self.argument))

    def read(self) -> LabelledPictures:
        """Reads the pictures to train on, with their classes."""
        image = self.options.image or self._find(PICTURES, ("", *TRAINING)) or self._unnamed(0)
        if image is None:
            raise ValueError(f"{self._listing()}: name that of the pictures, --set data.image=NAME")
        label = self.options.label or self._find(LABELS, ("", *TRAINING)) or self._unnamed(1)
        return self._read(image, self._unless_left_out(label))

    def read_held_out(self) -> LabelledPictures | None:
        """Reads the pictures of the part for tests, else for validation."""
        for part in TEST:
            if image := self._find(PICTURES, (part,)):
                return self._read(image, self._unless_left_out(self._find(LABELS, (part,))))
        return None

    def _unless_left_out(self, label: str | None) -> str | None:
        """The name of the array of labels; None where the options leave labels out."""
        return None if self.options.label == NO_LABELS and NO_LABELS not in self.arrays else label

    def _read(self, image: str, label: str | None) -> LabelledPictures:
        """Reads the arrays of these names."""
        for key, name in (("image", image), ("label", label)):
            if name is not None and name not in self.arrays:
                raise ValueError(
                    f"{self._listing()}, not {name}: write --set data.{key}=NAME with one of them"
                )
        pictures = as_pictures(f"array {image} in {self.location}", self.arrays[image], self.options)
        if label is None or label == image:
            return LabelledPictures(pictures, ClassLabels())
        labels, count = self.arrays[label], f"{len(pictures):,} pictures"
        if labels.shape[:1] != (len(pictures),):
            raise ValueError(
                f"array {label} in {self.location} has {count_labels(labels)} for {count}: "
                "name another by --set data.label=NAME, or leave labels out by --set data.label=nothing"
            )
        return LabelledPictures(pictures, number_classes(f"labels {label} in {self.location}", labels))

    def _find(self, words: tuple[str, ...], parts: tuple[str, ...]) -> str | None:
        """Finds the array whose name is one of `words`, with one of `parts` before or behind it."""
        known = {name.lower(): name for name in self.arrays}
        return next((known[name] for name in _names(words, parts) if name in known), None)

    def _unnamed(self, place: int) -> str | None:
        """The name of the pictures (place 0) or the labels (1) among arrays without telling names."""
        if UNNAMED[place] in self.arrays:
            return UNNAMED[place]
        return next(iter(self.arrays)) if place == 0 and len(self.arrays) == 1 else None

    def _listing(self) -> str:
        return f"{self.location} has the arrays {', '.join(sorted(self.arrays)) or '(none)'}"


def _names(words: tuple[str, ...], parts: tuple[str, ...]) -> Iterator[str]:
    """Names that arrays may have: a word alone, or with the name of a part."""
    for part in parts:
        for word in words:
            yield from (f"{part}_{word}", f"{word}_{part}") if part else (word,)
