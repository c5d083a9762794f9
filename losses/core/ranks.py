"""Sums and means over the processes that compute one batch (ranks), differentiable as often as needed.

With one process each of them is the identity.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from losses.core.batch_parts import BatchPart, process_part, rows_of_all_passes, set_process_part


class _SumOverRanks(torch.autograd.Function):
    """The sum over all ranks; its gradient is the sum of the gradients, by this function again."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        # By the function itself: a backward pass may run where this process has no part of a batch any more.
        total: Tensor = _SumOverRanks.apply(gradients[0])
        return total


@contextmanager
def ranks_of_default_group() -> Iterator[None]:
    """Context in which the processes of torch's default group compute one batch, each its rows.

    Without such a group, or within a run that has shared its batches out already, it changes nothing.
    """
    is_needed = process_part().count == 1 and dist.is_available() and dist.is_initialized()
    if not is_needed or dist.get_world_size() == 1:
        yield
        return
    before = process_part()
    set_process_part(BatchPart(dist.get_rank(), dist.get_world_size()))
    try:
        yield
    finally:
        set_process_part(before)


@torch.no_grad()
def copy_from_first_rank(tensors: Sequence[Tensor]) -> None:
    """Copies tensors of the first rank to all others, in place."""
    if process_part().count == 1:
        return
    for tensor in tensors:
        whole = tensor.detach().contiguous()  # memory without gaps, as engines need it
        dist.broadcast(whole, 0)
        tensor.copy_(whole)


def sum_over_ranks(x: Tensor) -> Tensor:
    """Sums a tensor over all ranks.

    The gradient at `x` is that of the sum of what all ranks compute from it.
    """
    if process_part().count == 1:
        return x
    total: Tensor = _SumOverRanks.apply(x)
    return total


def mean_over_ranks(x: Tensor) -> Tensor:
    """Averages a tensor over all ranks."""
    count = process_part().count
    return x if count == 1 else sum_over_ranks(x) / count


def gather_rows(x: Tensor) -> Tensor:
    """Gathers the whole batch `(N, …)` in its order, from the rows of all ranks."""
    part = process_part()
    if part.count == 1:
        return x
    rows = torch.arange(len(x), device=x.device) * part.count + part.index
    return sum_over_ranks(x.new_zeros(len(x) * part.count, *x.shape[1:]).index_copy(0, rows, x))


def whole_batch(x: Tensor) -> Tensor:
    """The whole batch `(N, …)` of real samples or of what belongs to them, of all passes and ranks.

    Raises ValueError in a micro-batch for a tensor that was computed within it.
    """
    return gather_rows(rows_of_all_passes(x))


@torch.no_grad()
def average_gradients(weights: Sequence[Tensor]) -> None:
    """Averages the gradients of weights over all ranks, in place, as one flat tensor for each type."""
    if process_part().count == 1:
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    for kind in dict.fromkeys(gradient.dtype for gradient in gradients):  # in one order on all ranks
        own = [gradient for gradient in gradients if gradient.dtype == kind]
        flat = torch.cat([gradient.flatten() for gradient in own])
        dist.all_reduce(flat)
        flat /= process_part().count
        parts = flat.tensor_split([*accumulate(gradient.numel() for gradient in own[:-1])])
        torch._foreach_copy_(own, [part.view(g.shape) for part, g in zip(parts, own, strict=True)])
