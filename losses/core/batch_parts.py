"""Parts of a batch: the rows that one of several processes, or one of several passes, computes.

Rows go round: of four processes the first has the rows 0, 4, 8, … of a batch. Where a process takes its rows
in several passes (micro-batches), these go round the passes in turn. Random numbers are drawn for the whole
batch and cut to the own rows, so that a batch is the same numbers however it is shared out; a plug-in that
draws for the samples of a batch does so by `draw_rows` or `draw_like`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


@dataclass(frozen=True)
class BatchPart:
    """A part of a batch: its rows `index`, `index + count`, `index + 2 · count`, ….

    >>> import torch
    >>> from losses.core.batch_parts import BatchPart
    >>> BatchPart(1, 2).cut(torch.arange(6))
    tensor([1, 3, 5])
    """

    index: int = 0
    count: int = 1

    def cut(self, whole: Tensor) -> Tensor:
        """Cuts this part out of a batch `(N, …)`. Raises ValueError where parts would be unequal."""
        if self.count == 1:
            return whole
        if len(whole) % self.count:
            raise ValueError(f"a batch of {len(whole)} cannot be shared out evenly to {self.count}")
        return whole[self.index :: self.count].contiguous(memory_format=memory_format_of(whole))

    def within(self, outer: "BatchPart") -> "BatchPart":
        """This part of another part, as a part of the whole batch."""
        return BatchPart(outer.index + outer.count * self.index, outer.count * self.count)


WHOLE = BatchPart()
_of_process, _of_pass = WHOLE, WHOLE
_cut_tensors: list[tuple[Tensor, Tensor]] = []  # the pass's batch: each tensor with the process's whole one


def process_part() -> BatchPart:
    """The part of every batch that this process has."""
    return _of_process


def current_part() -> BatchPart:
    """The part of the batch that is being computed: that of the process, or that of one of its passes."""
    return _of_pass.within(_of_process)


def set_process_part(part: BatchPart) -> None:
    """Sets the part of every batch that this process has."""
    global _of_process
    _of_process = part


@contextmanager
def whole_batches() -> Iterator[None]:
    """Context in which this process computes batches of its own, and not a part of one."""
    before = _of_process
    set_process_part(WHOLE)
    try:
        yield
    finally:
        set_process_part(before)


def draw_rows(draw: Callable[[int], Tensor], rows: int) -> Tensor:
    """Draws random numbers for as many samples as there are here, `(rows, …)`.

    Args:
        draw: draws for that many samples from torch's global generator.
    """
    part = current_part()
    return part.cut(draw(rows * part.count))


def draw_like(draw: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """Draws random numbers in the shape of samples `(N, …)`, such as `draw_like(torch.randn_like, x)`.

    Args:
        draw: given a tensor of the whole batch, draws as many numbers, in the order of its memory.
    """
    part = current_part()
    if part.count == 1:
        return draw(like)
    shape = (len(like) * part.count, *like.shape[1:])
    whole = torch.empty(shape, device=like.device, dtype=like.dtype, memory_format=memory_format_of(like))
    return part.cut(draw(whole))


def uniform_each(like: Tensor) -> Tensor:
    """Draws a number from U[0, 1) for each sample `(N, …)`: `(N, 1, …)`."""
    ones = [1] * (like.dim() - 1)
    return draw_rows(lambda rows: torch.rand(rows, *ones, device=like.device, dtype=like.dtype), len(like))


def memory_format_of(x: Tensor) -> torch.memory_format:
    """The memory format in which a tensor like this one is made."""
    is_last = x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if is_last else torch.contiguous_format


def move_mean(mean: Tensor, values: Tensor, share: float) -> None:
    """Moves a running mean by a share towards the mean of values, in place; once for all passes of an update.

    Args:
        values: the mean over the rows of this pass, in all processes.
    """
    if _of_pass.count == 1:
        mean.lerp_(values, share)
        return
    if _of_pass.index == 0:
        mean.mul_(1 - share)
    mean.add_(values, alpha=share / _of_pass.count)


def is_first_pass() -> bool:
    """Whether this is the first pass of an update, or its only one."""
    return _of_pass.index == 0


def rows_of_all_passes(x: Tensor) -> Tensor:
    """The rows of all passes, `(N, …)`, of a tensor of the batch that has been cut into them.

    Raises ValueError for a tensor that was computed since.
    """
    if _of_pass.count == 1:
        return x
    for cut, whole in _cut_tensors:
        if cut is x:
            return whole
    raise ValueError("it depends on the whole batch, which a micro-batch does not know; leave the size out")


def join_passes(parts: Sequence[Tensor]) -> Tensor:
    """Joins the rows `(M, …)` that each pass has made, in their order, to those of the process."""
    if len(parts) == 1:
        return parts[0]
    joined = torch.stack(list(parts), dim=1).flatten(0, 1)
    return joined.contiguous(memory_format=memory_format_of(parts[0]))


def compute_in_passes(count: int, compute: Callable[..., Result], batch: Sequence[Any]) -> list[Result]:
    """Computes a function of a batch in passes, each of which draws its rows of the same random numbers.

    Args:
        count: how many passes.
        batch: tensors `(N, …)`, and tuples of such; anything else is the same for all passes.
    """
    if count == 1:
        return [compute(*batch)]
    results, random = [], _random_states()
    for index in range(count):
        _set_random_states(random)
        part, cut = BatchPart(index, count), list[tuple[Tensor, Tensor]]()
        rows = [_cut_each(each, part, cut) for each in batch]
        with _within_pass(part, cut):
            results.append(compute(*rows))
    return results


def map_tensors(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Changes a tensor, or those within tuples; leaves anything else as it is."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple):
        parts = [map_tensors(change, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def _cut_each(value: Any, part: BatchPart, cut: list[tuple[Tensor, Tensor]]) -> Any:
    """Cuts tensors within tuples; notes each with its whole one."""

    def cut_one(whole: Tensor) -> Tensor:
        rows = part.cut(whole)
        cut.append((rows, whole))
        return rows

    return map_tensors(cut_one, value)


@contextmanager
def _within_pass(part: BatchPart, cut: list[tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Context in which one pass is computed."""
    global _of_pass, _cut_tensors
    _of_pass, _cut_tensors = part, cut
    try:
        yield
    finally:
        _of_pass, _cut_tensors = WHOLE, []


def _random_states() -> tuple[Tensor, list[Tensor]]:
    """States of torch's global random generators, on the CPU and on accelerators in use."""
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return torch.get_rng_state(), on_gpus


def _set_random_states(states: tuple[Tensor, list[Tensor]]) -> None:
    """Sets torch's global random generators to states of before."""
    torch.set_rng_state(states[0])
    if states[1]:
        torch.cuda.set_rng_state_all(states[1])
