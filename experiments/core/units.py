"""Original units of pictures beyond 8 bits: which values become −1 and 1, and the way back."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from experiments.core.named_values import SettingValues

Ends = float | tuple[float, ...]  # of all channels, or of each
DEPTHS = {"uint16": torch.uint16, "float32": torch.float32}  # in which such pictures are held and written


class PixelUnits(NamedTuple):
    """The linear map between the values of pictures and what networks see, and the type of the values.

    Attributes:
        low, high: values that become −1 and 1, of all channels, or a tuple with those of each; values outside
            are cut to these.
        depth: type of the values, "uint16" or "float32".
    """

    low: Ends
    high: Ends
    depth: str

    @classmethod
    def from_range(cls, ends: Sequence[float], depth: str) -> "PixelUnits":
        """Makes units of a range: `(low, high)` for all channels, or these for each, one after the other."""
        if len(ends) == 2:
            return cls(ends[0], ends[1], depth)
        return cls(tuple(ends[::2]), tuple(ends[1::2]), depth)

    @property
    def range(self) -> tuple[float, ...]:
        """The range that `from_range` takes."""
        if isinstance(self.low, tuple) and isinstance(self.high, tuple):
            return tuple(end for pair in zip(self.low, self.high, strict=True) for end in pair)
        return self.low, self.high  # type: ignore[return-value]

    @property
    def options(self) -> SettingValues:
        """The options of data that have these units."""
        return {"data.range": self.range, "data.depth": self.depth}

    @property
    def dtype(self) -> torch.dtype:
        """Type of tensors of values."""
        return DEPTHS[self.depth]

    def to_networks(self, values: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Maps values `(…, C, H, W)` linearly to [−1, 1], as the networks see images, in a floating type."""
        low, half = self._low_and_half_width()
        scale = 1 / half
        if isinstance(low, Tensor):  # as numbers would be, which take no part in the choice of the type
            low, scale = (each.to(dtype).to(values.device) for each in (low, scale))
        return values.to(dtype).sub(low).mul(scale).sub(1).clamp(-1, 1)

    def from_networks(self, images: Tensor) -> Tensor:
        """Maps images `(…, C, H, W)` back to values, float32, not rounded; [−1, 1] becomes the range."""
        low, half = self._low_and_half_width()
        if isinstance(low, Tensor):
            low, half = low.to(images.device), half.to(images.device)
        found: Tensor = images.double().add(1).mul(half).add(low).float()
        return found

    def to_depth(self, images: Tensor) -> Tensor:
        """Maps images back to values of the depth: cut to the range, and rounded where it is whole numbers.

        They lie on the CPU.
        """
        low, half = self._low_and_half_width()
        values = images.detach().cpu().double().clamp(-1, 1).add(1).mul(half).add(low)
        if self.depth == "float32":
            return values.float()
        whole = values.round().clamp(0, 65535).numpy().astype(np.uint16)  # torch rounds no uint16
        return torch.from_numpy(whole)

    def _low_and_half_width(self) -> tuple[Any, Any]:
        """Low end and half the width of the range: numbers, or of each channel, float64 `(C, 1, 1)`."""
        low: Any = self.low
        high: Any = self.high
        if isinstance(low, tuple):
            low, high = (torch.tensor(ends, dtype=torch.float64).view(-1, 1, 1) for ends in (low, high))
        return low, (high - low) / 2


def units_of(options: SettingValues) -> PixelUnits | None:
    """The units of a run's pictures, by the options of its data; None for pictures of 8 bits."""
    depth, value_range = options.get("data.depth"), options.get("data.range")
    if depth not in DEPTHS or not value_range:
        return None
    return PixelUnits.from_range(value_range, depth)


def units_from(words: object) -> PixelUnits | None:
    """Units from a file, `[low, high, depth]`; None where it has none. Raises ValueError for others."""
    if words is None:
        return None
    if not isinstance(words, list) or len(words) != 3 or words[2] not in DEPTHS:
        raise ValueError(f"{words} are no units of pictures")
    lows, highs = (ends if isinstance(ends, list) else [ends] for ends in words[:2])
    if not lows or len(lows) != len(highs):
        raise ValueError(f"{words} are no units of pictures")
    ends = [float(end) for pair in zip(lows, highs, strict=True) for end in pair]
    for low, high in zip(ends[::2], ends[1::2], strict=True):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"{low},{high} is no range of values")
    return PixelUnits.from_range(ends, words[2])


def value_bytes(units: PixelUnits | None) -> int:
    """Bytes that one value of a picture takes."""
    return 1 if units is None else units.dtype.itemsize
