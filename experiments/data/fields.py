"""Gaussian random fields in five channels, with known spectra and covariance; any image size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from experiments.core.units import PixelUnits
from experiments.data.core.arguments import check_no_argument
from experiments.data.core.dataset import DataSet, Fit, Kind, Native, Source
from experiments.data.core.picture_options import read_numbers
from experiments.data.core.random_fields import CHANNELS, LARGEST, draw_fields
from losses.core.options import option

LENGTH, HELD_OUT = 10_000, 2_000


@dataclass(frozen=True)
class FieldOptions:
    """Options of the drawn fields."""

    range: tuple[float, float] = option(
        (-4.0, 4.0),
        "Values that become −1 and 1 for the networks; the channels have a variance of 1.",
        reader=read_numbers,
    )
    depth: str = option("float32", "Type of the values.", choices=("float32",))


class FieldImages(DataSet):
    """Data set of random fields, drawn when they are fetched: float32 `(B, 5, *size)`, variance 1, mean 0.

    A field is a pure function of its index; its coarse waves are the same at every size.
    """

    def __init__(self, size: tuple[int, int], units: PixelUnits, indices: range) -> None:
        self.sample_shape, self.units, self.indices = (CHANNELS, *size), units, indices

    def __len__(self) -> int:
        return len(self.indices)

    def fetch(self, indices: Tensor) -> Tensor:
        _, height, width = self.sample_shape
        return draw_fields(indices + self.indices.start, (height, width))


class Fields(Source):
    """Source of five-channel Gaussian random fields with power-law spectra.

    They have no size of their own: 16 to 256 pixels look well.
    """

    kind: ClassVar[Kind] = "images"
    is_embedded: ClassVar[bool] = True
    options_type: ClassVar[type] = FieldOptions

    def native(self) -> Native:
        check_no_argument("fields", self.argument)
        return Native(channels=CHANNELS)

    def class_names(self) -> Sequence[str]:
        return ()

    def open(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> FieldImages:
        """Draws fields at exactly `size`, so there is nothing to fit.

        Raises ValueError without a size, and for other than five channels.
        """
        del fit
        return self._drawn(size, channels, range(LENGTH))

    def open_held_out(self, size: tuple[int, int] | None, channels: int | None, fit: Fit) -> FieldImages:
        """Draws further fields."""
        del fit
        return self._drawn(size, channels, range(LENGTH, LENGTH + HELD_OUT))

    def _drawn(self, size: tuple[int, int] | None, channels: int | None, indices: range) -> FieldImages:
        check_no_argument("fields", self.argument)
        if size is None:
            raise ValueError("data 'fields' has no size of its own: give one with --image-size")
        if channels not in (None, CHANNELS):
            raise ValueError(f"data 'fields' is drawn with {CHANNELS} channels, not {channels}")
        if max(size) > LARGEST:
            raise ValueError(f"data 'fields' is drawn up to {LARGEST} pixels a side: take a smaller size")
        units = PixelUnits.from_range(self.options.range, self.options.depth)
        return FieldImages(size, units, indices)
