"""npy:FILE: pictures in an array of numpy, (N, H, W), (N, H, W, C) or (N, C, H, W); labels beside it."""

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from experiments.core.paths import expand_home
from experiments.data.core.array_images import (
    ArrayOptions,
    ArraySource,
    LabelledPictures,
    count_labels,
)
from experiments.data.core.class_labels import NO_LABELS, ClassLabels, number_classes
from experiments.data.core.picture_arrays import map_npy
from experiments.data.core.picture_rows import as_pictures

# Names of files of pictures, and of the labels beside them.
PICTURES = re.compile(r"images|imgs|pictures|^x(?=[_.-]|$)|(?<=[_.-])x$", re.IGNORECASE)
LABELS = {"images": "labels", "imgs": "labels", "pictures": "labels", "x": "y", "X": "y"}
TRAINING, TEST = re.compile("train", re.IGNORECASE), ("test", "val")


def label_files_beside(file: Path) -> list[Path]:
    """Lists files beside an array of pictures that may have their labels, likely ones first."""
    stem = file.stem
    names = [PICTURES.sub(lambda word: LABELS.get(word[0], "labels"), stem)] if PICTURES.search(stem) else []
    names += [f"{stem}_labels", f"{stem}-labels", f"{stem}.labels"]
    return [file.with_name(f"{name}.npy") for name in names]


class Npy(ArraySource):
    """Npy source: an array of pictures, mapped into memory.

    Bytes are images of 8 bits; other numbers, of any channels, are trained on as they are (`data.range`).
    Its labels are an array beside it: `labels.npy` beside `images.npy`, `y_train.npy` beside `x_train.npy`,
    or `faces-labels.npy` beside `faces.npy`. The test part of `x_train.npy` is `x_test.npy`.
    """

    @property
    def location(self) -> str:
        return str(self.file)

    @cached_property
    def file(self) -> Path:
        """The file of the pictures."""
        if not self.argument:
            raise ValueError("data 'npy' needs a file: write --data npy:FILE")
        return expand_home(self.argument)

    def read(self) -> LabelledPictures:
        """Reads the pictures to train on, with their classes."""
        return _read(self.file, self.options)

    def read_held_out(self) -> LabelledPictures | None:
        """Reads the array of the same name with `test` or `val` in the place of `train`."""
        if not TRAINING.search(self.file.stem):
            return None
        for word in TEST:
            file = self.file.with_name(TRAINING.sub(word, self.file.stem) + self.file.suffix)
            if file.exists():
                is_left_out = self.options.label == NO_LABELS
                return _read(file, self.options if is_left_out else replace(self.options, label=None))
        return None


def _read(file: Path, options: ArrayOptions) -> LabelledPictures:
    """Reads an array of pictures, with the labels of a file, or of one that is found beside it."""
    pictures = as_pictures(str(file), map_npy(file), options)
    if options.label is None:
        label_file = next((each for each in label_files_beside(file) if each.exists()), None)
    else:
        label_file = None if options.label == NO_LABELS else expand_home(options.label)
    if label_file is None:
        return LabelledPictures(pictures, ClassLabels())
    labels = map_npy(label_file)
    if labels.shape[:1] != (len(pictures),):
        raise ValueError(
            f"{label_file} has {count_labels(labels)} for {len(pictures):,} pictures in {file}: name another "
            "file by --set data.label=FILE, or leave labels out by --set data.label=nothing"
        )
    return LabelledPictures(pictures, number_classes(f"labels in {label_file}", labels))
