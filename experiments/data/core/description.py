"""Words on the images of a data set: their number, their sizes, and the shares of labels."""

from collections.abc import Mapping

from experiments.data.core.dataset import DataSet

NAMED_CLASSES = 3  # at each end, the most and the least frequent ones
UNBALANCED = 2.0  # times as many images in the largest class as in the smallest: worth a word


def describe_sizes(sizes: Mapping[tuple[int, int], int], count: int) -> str:
    """Describes the sizes (height × width) of files.

    Args:
        sizes: number of files by size, of all or of those that were looked at.
        count: number of all files.
    """
    smallest, largest = (
        f"{height}×{width}" for height, width in (min(sizes, key=_area), max(sizes, key=_area))
    )
    words = f"of {smallest} (height × width)"
    if len(sizes) > 1:
        words = f"of {len(sizes):,} sizes, from {smallest} to {largest} (height × width)"
    looked_at = sum(sizes.values())
    return words if looked_at >= count else f"{words}, by {looked_at:,} of their files"


def _area(size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """Pixels of a size; of equal ones, the lower is the smaller."""
    return size[0] * size[1], size


def has_classes(data: DataSet) -> bool:
    """Whether samples belong to at least two classes."""
    return data.labels is not None and len(data.classes) > 1


def describe_shares(data: DataSet) -> str:
    """Describes the shares of the most and the least frequent classes of data that has some."""
    counts = class_counts(data)
    order = sorted(range(len(counts)), key=lambda each: -counts[each])

    def describe(label: int) -> str:
        return f"{data.classes[label]} {counts[label]:,} ({counts[label] / len(data):.2g})"

    shown = [order] if len(order) <= 2 * NAMED_CLASSES else [order[:NAMED_CLASSES], order[-NAMED_CLASSES:]]
    return " … ".join(", ".join(map(describe, part)) for part in shown)


def is_unbalanced(data: DataSet) -> bool:
    """Whether the largest class has twice as many samples as the smallest, or more."""
    counts = class_counts(data)
    return max(counts) >= UNBALANCED * max(1, min(counts))


def class_counts(data: DataSet) -> list[int]:
    """Numbers of samples by class, of data that has classes."""
    assert data.labels is not None
    counts: list[int] = data.labels.bincount(minlength=len(data.classes)).tolist()
    return counts
