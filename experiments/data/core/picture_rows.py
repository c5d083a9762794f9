"""Pictures that are the rows of one array: bytes are images of 8 bits, others numbers of any channels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from experiments.data.core.array_files import (
    ArrayKind,
    are_channels_first,
    decide_type,
    describe_unusable,
)
from experiments.data.core.picture_options import ImageFileOptions
from experiments.data.core.value_surveys import PictureValues, map_pictures

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with alpha
TYPES = "save it as uint8, uint16 or float32"


@dataclass(frozen=True)
class PictureRows(PictureValues):
    """Pictures in one array, of which nothing is copied until it is read.

    Args:
        name: of the array, for messages.
        values: `(N, H, W, C)`, numbers.
        type: in which they are read: "uint8" for images of 8 bits, else mostly "uint16" or "float32".
        kept: indices of the rows that are the pictures, of numbers; None: all.
    """

    name: str
    values: NDArray[Any]
    type: str = "uint8"
    kept: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.values) if self.kept is None else len(self.kept)

    def name_of(self, index: int) -> str:
        return f"picture {self._row(index)} (counted from 0) of {self.name}"

    def read(self, index: int) -> NDArray[Any]:
        """Reads a picture `(H, W, C)` of numbers. Raises ValueError for values that cannot be taken."""
        self.check_one(index)
        return self.values[self._row(index)].astype(self.type, copy=False)

    def check_one(self, index: int) -> None:
        """Checks that a picture has values that can be taken. Raises ValueError."""
        if wrong := describe_unusable(self.values[self._row(index)]):
            raise ValueError(
                f"{self.name_of(index)} cannot be taken: {wrong}; or take --skip-bad, which leaves such "
                "pictures out"
            )

    def at(self, indices: Sequence[int]) -> "PictureRows":
        """Some of these pictures."""
        return replace(self, kept=[self._row(index) for index in indices])

    def as_in_file(self) -> "PictureRows":
        """These pictures in the type of their array."""
        return replace(self, type=self.values.dtype.name)

    def check(self) -> None:
        """Checks all pictures. Raises ValueError for the first with values that cannot be taken."""
        if self.values.dtype.kind == "f":
            map_pictures(PictureRows.check_one, self)  # which keeps none: all may not fit into memory

    def without_bad(self) -> tuple["PictureRows", Sequence[int]]:
        """Leaves out pictures with values that cannot be taken; returns the others, and the rows left out.

        Raises ValueError where none is left.
        """
        if self.values.dtype.kind != "f":
            return self, ()
        is_bad = map_pictures(lambda _, row: bool(describe_unusable(self.values[row])), self)
        bad = [row for row, each in enumerate(is_bad) if each]
        if len(bad) == len(is_bad):
            wrong = describe_unusable(self.values[0])
            raise ValueError(f"no picture of {self.name} can be taken: of the first, {wrong}")
        kept = [row for row, each in enumerate(is_bad) if not each]
        return (replace(self, kept=kept) if bad else self), bad

    def _row(self, index: int) -> int:
        return index if self.kept is None else self.kept[index]

    def in_type(self, wanted: str, other: str) -> "PictureRows":
        """These pictures in the type of those of an array called `other`.

        Raises ValueError for a type that cannot hold them.
        """
        if wanted not in (self.type, "float32"):
            raise ValueError(
                f"{self.name} has values of type {self.values.dtype}, and {other} is held as {wanted}: save "
                "both in one type, or take --set data.depth=float32"
            )
        return replace(self, type=wanted)


def as_pictures(name: str, array: NDArray[Any], options: ImageFileOptions) -> PictureRows:
    """Pictures `(N, H, W, C)` in an array `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`.

    Raises ValueError, with `name`, for what is no numbers, for a type that cannot hold them, and for other
    shapes, those that may be read in two ways included.
    """
    kind = array.dtype.name
    if array.dtype.kind not in "uif":
        raise ValueError(f"{name} is of {kind}, and pictures are real numbers: {TYPES}")
    shape = f"{name} is {array.shape}"
    if not array.size:
        raise ValueError(f"{shape}: it is empty")
    try:
        _, chosen = decide_type(ArrayKind(kind, is_array=True), options.depth, bool(options.range))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if array.ndim == 3:
        if array.shape[2] in CHANNELS:
            raise ValueError(f"{shape}, which looks like one picture: save it as (N, H, W, C)")
        return PictureRows(name, array[..., None], chosen)
    if array.ndim != 4:
        raise ValueError(f"{shape}, no pictures (N, H, W), (N, H, W, C) or (N, C, H, W): reshape it")
    first, last = array.shape[1] in CHANNELS, array.shape[3] in CHANNELS
    if first and last and array.shape[1] != array.shape[3]:
        raise ValueError(f"{shape}, of which either side may be channels: save it as (N, H, W)")
    if chosen == "uint8" and not (first or last):
        raise ValueError(
            f"{shape}, and pictures of 8 bits have 1, 3 or 4 channels, first or last: reshape it, or take "
            "--set data.depth=float32 for numbers of any channels"
        )
    comes_first = not last if first or last else are_channels_first(array.shape[1:])
    return PictureRows(name, array.transpose(0, 2, 3, 1) if comes_first else array, chosen)
