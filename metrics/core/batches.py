"""Batches of vectors or logits: checked on arrival, and kept until `compute`."""

import torch
from torch import Tensor


def checked(batch: Tensor, metric: str, width: int | None = None) -> Tensor:
    """Checks a batch `(N, D)` and brings it to the CPU, in float32, or in float64 if it came so.

    Args:
        metric: the name that errors begin with.
        width: D; None for any.

    Raises:
        ValueError: not a matrix, not `width` wide, or with numbers that are not finite.
    """
    if batch.dim() != 2:
        raise ValueError(f"{metric}: takes a matrix with one row a sample, not shape {tuple(batch.shape)}")
    if width is not None and batch.shape[1] != width:
        raise ValueError(
            f"{metric}: rows of {batch.shape[1]} numbers beside rows of {width}; use one extractor for all"
        )
    batch = batch.detach().cpu()
    batch = batch if batch.dtype == torch.float64 else batch.float()
    if not batch.sum().isfinite():  # one pass without a mask; a sum that overflows is checked row by row
        _refuse_rows(batch, metric)
    return batch


def _refuse_rows(batch: Tensor, metric: str) -> None:
    wrong = len(batch) - int(batch.isfinite().all(dim=1).sum())
    if wrong:
        raise ValueError(
            f"{metric}: {wrong} of {len(batch)} rows are not finite; check the samples and the extractor"
        )


class Rows:
    """Store of the rows that were added since the last `clear`.

    Args:
        metric: the name that errors begin with.
        width: numbers in a row; None takes that of the first batch.
    """

    def __init__(self, metric: str, width: int | None = None) -> None:
        self.metric = metric
        self.width = width
        self._given_width = width
        self._batches: list[Tensor] = []

    def __len__(self) -> int:
        return sum(map(len, self._batches))

    def add(self, batch: Tensor) -> None:
        """Keeps a batch `(N, D)`. Raises ValueError as `checked`."""
        batch = checked(batch, self.metric, self.width)
        self.width = batch.shape[1]
        self._batches.append(batch)

    def all(self, at_least: int = 1, why: str = "", remedy: str = "") -> Tensor:
        """All rows `(N, D)` in the order of the calls. Raises ValueError with fewer than `at_least` rows."""
        if len(self) < at_least:
            raise ValueError(too_few(self.metric, len(self), at_least, why, remedy))
        self._batches = [torch.cat(self._batches)]
        return self._batches[0]

    def clear(self) -> None:
        """Forgets all rows."""
        self._batches = []
        self.width = self._given_width


def too_few(metric: str, count: int, needed: int, why: str = "", remedy: str = "") -> str:
    """The line for a metric that cannot be computed from so few samples.

    Args:
        why: what the number that it needs comes from.
        remedy: an option that makes so many enough (`--set precision-recall.k=2`); empty where none does.
    """
    have = {0: "no samples yet", 1: "1 sample"}.get(count, f"{count:,} samples")
    more = f"give it more{remedy and f', or {remedy}'}"
    return f"{metric}: {have}, needs at least {needed:,}{why and f' ({why})'}; {more}"


def few_for_width(count: int, width: int, whose: str = "") -> tuple[str, ...]:
    """The remark on a covariance that cannot have full rank."""
    if count > width:
        return ()
    return (f"{width:,} features but only {count:,} {whose}samples: biased upwards",)
