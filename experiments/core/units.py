"""Original units of pictures beyond 8 bits: which values become −1 and 1, and the way back."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from experiments.core.named_values import SettingValues

DEPTHS = {"uint16": torch.uint16, "float32": torch.float32}  # in which such pictures are held and written


class PixelUnits(NamedTuple):
    """The linear map between the values of pictures and what networks see, and the type of the values.

    Attributes:
        low, high: values that become −1 and 1; values outside are cut to these.
        depth: type of the values, "uint16" or "float32".
    """

    low: float
    high: float
    depth: str

    @property
    def options(self) -> SettingValues:
        """The options of data that have these units."""
        return {"data.range": (self.low, self.high), "data.depth": self.depth}

    @property
    def dtype(self) -> torch.dtype:
        """Type of tensors of values."""
        return DEPTHS[self.depth]

    def to_networks(self, values: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Maps values linearly to [−1, 1], as the networks see images, in a floating-point type."""
        scaled = values.to(dtype).sub(self.low).mul(2 / (self.high - self.low)).sub(1)
        return scaled.clamp(-1, 1)

    def from_networks(self, images: Tensor) -> Tensor:
        """Maps images back to values, float32, not rounded; [−1, 1] becomes the range."""
        found: Tensor = images.double().add(1).mul((self.high - self.low) / 2).add(self.low).float()
        return found

    def to_depth(self, images: Tensor) -> Tensor:
        """Maps images back to values of the depth: cut to the range, and rounded where it is whole numbers.

        They lie on the CPU.
        """
        values = images.detach().cpu().double().clamp(-1, 1).add(1).mul((self.high - self.low) / 2)
        values = values.add(self.low)
        if self.depth == "float32":
            return values.float()
        whole = values.round().clamp(0, 65535).numpy().astype(np.uint16)  # torch rounds no uint16
        return torch.from_numpy(whole)


def units_of(options: SettingValues) -> PixelUnits | None:
    """The units of a run's pictures, by the options of its data; None for pictures of 8 bits."""
    depth, value_range = options.get("data.depth"), options.get("data.range")
    if depth not in DEPTHS or not value_range:
        return None
    low, high = value_range
    return PixelUnits(low, high, depth)


def units_from(words: object) -> PixelUnits | None:
    """Units from a file, `[low, high, depth]`; None where it has none. Raises ValueError for others."""
    if words is None:
        return None
    if not isinstance(words, list) or len(words) != 3 or words[2] not in DEPTHS:
        raise ValueError(f"{words} are no units of pictures")
    low, high = (float(number) for number in words[:2])
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{low},{high} is no range of values")
    return PixelUnits(low, high, words[2])


def value_bytes(units: PixelUnits | None) -> int:
    """Bytes that one value of a picture takes."""
    return 1 if units is None else units.dtype.itemsize
