"""Which batches a run deals: the size of every batch as a function of images shown."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple


class Segment(NamedTuple):
    """Rounds in a row at one image size, with batches of one size.

    Attributes:
        seen: images shown before the first of them.
        turn: batches dealt before.
        batch_size: samples in each of their batches.
    """

    seen: int
    batch_index: int
    batch_size: int


@dataclass(frozen=True)
class BatchSchedule:
    """Which batches a run deals.

    Attributes:
        stretches: in their order; the first begins at 0.
        steps: rounds of the whole run.
        images: that the whole run shows.
    """

    segments: tuple[Segment, ...]
    steps: int
    images: int

    def batch_size(self, seen: int) -> int:
        """Samples in the batch that begins after so many images."""
        return self._segment_at(seen).batch_size

    def batch_index(self, seen: int) -> int:
        """Batches dealt within the first so many images."""
        now = self._segment_at(seen)
        return now.batch_index + (seen - now.seen) // now.batch_size

    def _segment_at(self, seen: int) -> Segment:
        return self.segments[bisect_right(self.segments, seen, key=lambda each: each.seen) - 1]


def constant_batches(batch_size: int, images: int = 0) -> BatchSchedule:
    """Batches of one size, one a round; without a number of images the run has no end."""
    return BatchSchedule((Segment(0, 0, batch_size),), images // batch_size, images)
