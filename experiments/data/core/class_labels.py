"""Class labels as data sets list them: numbers, words or one-hot vectors, turned into classes from 0."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.core.word_lists import first_few

NAMED = 5  # classes that a remark names
NO_LABELS = "nothing"  # the option data.label that leaves labels out


class ClassLabels(NamedTuple):
    """The class of each sample, int64 `(N,)`, None without classes, and the names of the classes."""

    labels: Tensor | None = None
    names: tuple[str, ...] = ()


def remark_on_lost_classes(listed: Tensor, kept: Tensor, names: Sequence[str]) -> tuple[str, ...]:
    """Makes a remark on classes all of whose samples were left out because they are bad; else none.

    They stay classes: the numbers of the others are not to change with what can be read.

    Args:
        listed, kept: class of each sample, int64, before and after.
    """
    before, after = (labels.bincount(minlength=len(names)) for labels in (listed, kept))
    lost = [names[index] for index in ((before > 0) & (after == 0)).nonzero()[:, 0].tolist()]
    if not lost:
        return ()
    whose = "class" if len(lost) == 1 else f"{len(lost)} classes"
    return (
        f"all images of {whose} {first_few(lost, NAMED)} were skipped: nothing is learned of them; mend the "
        "files, or take them out, which leaves the others",
    )


def number_classes(
    name: str,
    values: Sequence[int | str] | NDArray[Any],
    remedy: str = "mend them, or take --set data.label=nothing, which leaves them out",
) -> ClassLabels:
    """Numbers the classes of labels `(N,)` or `(N, 1)`, or one-hot vectors `(N, K)`, that a set lists.

    Classes are the numbers or words that occur, sorted.

    Args:
        name: of the labels, in messages.
        remedy: advice for labels of another form.

    Raises ValueError for labels of another form.
    """
    found = np.asarray(values)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    elif found.ndim == 2 and found.dtype.kind in "biuf":
        if not (((found == 0) | (found == 1)).all() and (found.sum(axis=1) == 1).all()):
            raise ValueError(f"{name} are neither numbers of classes nor one-hot vectors: {remedy}")
        found = found.argmax(axis=1)
    if found.ndim != 1 or found.dtype.kind not in "biufUS":
        raise ValueError(
            f"{name} are {found.shape} of {found.dtype}, not a number or a word for each sample: {remedy}"
        )
    if found.dtype.kind == "f" and not (np.isfinite(found).all() and (found == np.rint(found)).all()):
        raise ValueError(f"{name} are no whole numbers: {remedy}")
    if found.dtype.kind in "bf":
        found = found.astype(np.int64)
    classes, labels = np.unique(found, return_inverse=True)
    words = [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in classes]
    return ClassLabels(torch.from_numpy(labels.astype(np.int64)), tuple(words))
