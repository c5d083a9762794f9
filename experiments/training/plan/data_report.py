"""Words of a plan on the data of its run: number and sizes of images, remarks, and shares of labels."""

from collections.abc import Mapping

from experiments.core.settings import Settings
from experiments.data.core.dataset import DataSet, Domains
from experiments.training.plan.plan import RunPlan

NAMED_CLASSES = 3  # at each end, the most and the least frequent ones
UNBALANCED = 2.0  # times as many images in the largest class as in the smallest: worth a word


def describe_data(plan: RunPlan) -> list[str]:
    """Describes the data: its samples, their sizes as the files have them, and what was found in them.

    The result is empty for data that could not be fetched.
    """
    data = plan.data
    if data is None:
        return []
    if isinstance(data, Domains):
        sides = [(f"images {data.names[0]}", data.a), (f"images {data.names[1]}", data.b)]
    else:
        sides = [("images" if data.is_images else "points", data)]
    lines = [_describe_samples(name, side, plan.settings) for name, side in sides]
    return lines + [f"{'remark':<12}data {plan.settings.data}: {each}" for each in plan.remarks]


def _describe_samples(name: str, data: DataSet, settings: Settings) -> str:
    """The number of samples, and of images their native sizes."""
    parts = []
    if settings.holdout is not None:
        held_out = f"{data.held_out_count:,} held out by --holdout {settings.holdout:g}"
        parts.append(f"to train on, beside {held_out}")
    parts += [_describe_sizes(data.native_sizes, len(data))] if data.native_sizes else []
    return f"{name:<12}{len(data):>12,} {'; '.join(parts)}".rstrip()


def _describe_sizes(sizes: Mapping[tuple[int, int], int], count: int) -> str:
    """The sizes (height × width) of files."""
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


def describe_classes(plan: RunPlan) -> list[str]:
    """Describes the shares of the most and the least frequent labels in the data; nothing without labels."""
    data = plan.data
    if not isinstance(data, DataSet) or data.labels is None or len(data.classes) < 2:
        return []
    counts = data.labels.bincount(minlength=len(data.classes)).tolist()
    order = sorted(range(len(counts)), key=lambda each: -counts[each])

    def describe(label: int) -> str:
        return f"{data.classes[label]} {counts[label]:,} ({counts[label] / len(data):.2g})"

    shown = [order] if len(order) <= 2 * NAMED_CLASSES else [order[:NAMED_CLASSES], order[-NAMED_CLASSES:]]
    words = " … ".join(", ".join(map(describe, part)) for part in shown)
    balance = "; shown equally often" if plan.settings.class_balance else ""
    if not balance and counts[order[0]] >= UNBALANCED * max(1, counts[order[-1]]):
        balance = "; --class-balance shows them equally often"
    return [f"labels      {len(counts):>12,} by their images (share): {words}{balance}"]
