"""Scales of charts: where a number stands along an axis, and which numbers its ticks have."""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.core.bounds import UNBOUNDED, Bounds

LOG_FROM = 50.0  # ratio of the largest to the smallest positive value from which an axis is logarithmic
NICE = (1.0, 2.0, 2.5, 5.0, 10.0)  # steps between ticks, times a power of ten
LARGEST, SMALLEST = sys.float_info.max, math.ulp(0.0)
MARGIN = 0.04  # of the range, on both sides of the values


@dataclass(frozen=True)
class Scale:
    """Scale of an axis from `low` to `high`, linear or logarithmic."""

    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """Position of a value along the axis: 0 at `low`, 1 at `high`."""
        if self.is_log:
            # Differences of logarithms, as the ratio of large and small numbers is none.
            low = math.log(self.low)
            return (math.log(value) - low) / (math.log(self.high) - low)
        # Halves: the difference of numbers near the largest float is none.
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)

    def percent(self, value: float) -> float:
        """Position of a value along the axis in percent, to a hundredth."""
        return round(100 * self.share(value), 2)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within the axis, in ascending order, `most` of them or fewer."""
        return self._log_ticks(most) if self.is_log else self._linear_ticks(most)

    def _linear_ticks(self, most: int) -> list[float]:
        span = self.high / most - self.low / most
        if not 0 < span < math.inf:
            return [self.low]
        power = 10.0 ** math.floor(math.log10(span))
        step = next((power * nice for nice in NICE if power * nice >= span * (1 - 1e-9)), span)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _log_ticks(self, most: int) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        powers = [10.0**power for power in range(first, last + 1)]
        if len(powers) <= most // 2:
            powers = [digit * 10.0**power for power in range(first - 1, last + 1) for digit in (1, 2, 5)]
        within = [value for value in powers if self.low <= value * 1.000001 and value <= self.high]
        return within[:: math.ceil(len(within) / most) or 1]


def scale_of(values: Iterable[float], may_be_log: bool, bounds: Bounds = UNBOUNDED) -> Scale:
    """Scale on which finite values have room, logarithmic where positive ones differ 50-fold and more.

    Args:
        bounds: the smallest and largest value that there can be, where the scale ends. It goes from one to
            the other where all values are equal.
    """
    known = sorted(values)
    if not known:
        return Scale(0.0, 1.0)
    low, high = known[0], known[-1]
    # A bound that a value is beyond, as of a record that is wrong, is none.
    least = max(bounds[0], -LARGEST) if bounds[0] <= low else -LARGEST
    most = min(bounds[1], LARGEST) if bounds[1] >= high else LARGEST
    if may_be_log and low > 0 and high / low > LOG_FROM and math.isfinite(high / low):
        room = (high / low) ** MARGIN
        return Scale(max(low / room, least, SMALLEST), min(high * room, most), True)
    if low == high and -LARGEST < least < most < LARGEST:
        return Scale(least, most)
    room = MARGIN * high - MARGIN * low if low < high else abs(low) / 10 or 1.0
    return Scale(max(low - room, least), min(high + room, most))


def short_number(value: float) -> str:
    """Formats a number of a tick or a legend in a few characters.

    >>> short_number(0.30000000000000004), short_number(12_000.0), short_number(2.5e6)
    ('0.3', '12000', '2.5e+06')
    """
    return f"{value:.4g}" if abs(value) < 1e4 or abs(value) >= 1e6 else f"{value:.0f}"
