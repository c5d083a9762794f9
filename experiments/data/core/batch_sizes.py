"""The batch schedule of a run: the size of every batch, as a function of images shown."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple


class Segment(NamedTuple):
    """Steps in a row at one image size, with batches of one size.

    Attributes:
        seen: images shown before the first of them.
        batch_index: batches loaded before.
        batch_size: samples in each of their batches.
    """

    seen: int
    batch_index: int
    batch_size: int


@dataclass(frozen=True)
class BatchSchedule:
    """The batches that a run loads: segments of equal batches, and the length of the run.

    Attributes:
        segments: in their order; the first begins at 0.
        steps: steps of the whole run.
        images: images shown in the whole run.
        schedule_images: images over which schedules run; 0 for the whole run. Of a run that was made longer,
            these are the images that it was to show before.
    """

    segments: tuple[Segment, ...]
    steps: int
    images: int
    schedule_images: int = 0

    def progress(self, seen: float) -> float:
        """Share in [0, 1] of the schedules that is over after `seen` images; 0 for a run without end."""
        whole = self.schedule_images or self.images
        return min(1.0, seen / whole) if whole else 0.0

    def batch_size(self, seen: int) -> int:
        """Number of samples in the batch that begins after `seen` images."""
        return self._segment_at(seen).batch_size

    def batch_index(self, seen: int) -> int:
        """Number of batches loaded within the first `seen` images."""
        now = self._segment_at(seen)
        return now.batch_index + (seen - now.seen) // now.batch_size

    def _segment_at(self, seen: int) -> Segment:
        """The segment of the batch that begins after `seen` images."""
        return self.segments[bisect_right(self.segments, seen, key=lambda each: each.seen) - 1]


def constant_batches(batch_size: int, images: int = 0) -> BatchSchedule:
    """A schedule of batches of one size, one a step; without a number of images the run has no end."""
    return BatchSchedule((Segment(0, 0, batch_size),), images // batch_size, images)
