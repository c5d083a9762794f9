"""Words of a plan on the data of its run: number and sizes of images, remarks, and shares of labels."""

from experiments.core.settings import Settings
from experiments.data.core.dataset import DataSet, Domains
from experiments.data.core.description import describe_shares, describe_sizes, has_classes, is_unbalanced
from experiments.training.plan.plan import RunPlan


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
    parts += [describe_sizes(data.native_sizes, len(data))] if data.native_sizes else []
    return f"{name:<12}{len(data):>12,} {'; '.join(parts)}".rstrip()


def describe_classes(plan: RunPlan) -> list[str]:
    """Describes the shares of the most and the least frequent labels in the data; nothing without labels."""
    data = plan.data
    if not isinstance(data, DataSet) or not has_classes(data):
        return []
    balance = "; shown equally often" if plan.settings.class_balance else ""
    if not balance and is_unbalanced(data):
        balance = "; --class-balance shows them equally often"
    shares = describe_shares(data)
    return [f"labels      {len(data.classes):>12,} by their images (share): {shares}{balance}"]
