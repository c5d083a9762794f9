"""Batch norm over the batch of all processes (ranks) that compute it together."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from losses.core.batch_parts import process_part
from losses.core.precision import in_full_precision
from losses.core.ranks import gather_rows


@in_full_precision
def normalize_over_ranks(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Normalizes features `(N, C, …)` as batch norm does in training, by the statistics of all ranks.

    `nn.SyncBatchNorm` does that on GPUs only.
    """
    dimensions = [0, *range(2, x.dim())]
    each = [1, -1, *[1] * (x.dim() - 2)]
    of_rank = torch.stack(torch.var_mean(x, dim=dimensions, correction=0))
    variances, means = gather_rows(of_rank[None]).unbind(dim=1)  # at once: ranks wait longest for each other
    mean = means.mean(dim=0)
    variance = (variances + (means - mean).square()).mean(dim=0)
    if norm.track_running_stats:
        _follow(norm, mean.detach(), variance.detach(), x.numel() // x.shape[1] * process_part().count)
    centred, scale = x - mean.view(each), (variance + norm.eps).rsqrt()
    if not norm.affine:
        return centred * scale.view(each)
    return torch.addcmul(norm.bias.view(each), centred, (scale * norm.weight).view(each))


@torch.no_grad()
def _follow(norm: _BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Moves the running statistics of a norm towards those of `count` numbers a channel."""
    assert norm.running_mean is not None and norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    # Without a momentum the statistics are means over all batches.
    share = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_(variance.to(norm.running_var) * (count / max(1, count - 1)), share)


class _OverRanks(_BatchNorm):
    """Batch norm over the batch of all ranks."""

    def forward(self, x: Tensor) -> Tensor:
        is_shared = self.training and process_part().count > 1
        return normalize_over_ranks(self, x) if is_shared else super().forward(x)


class BatchNorm1dOverRanks(_OverRanks, nn.BatchNorm1d):
    """Batch norm of vectors over the batch of all ranks."""


class BatchNorm2dOverRanks(_OverRanks, nn.BatchNorm2d):
    """Batch norm of feature maps over the batch of all ranks."""


OVER_RANKS: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: BatchNorm1dOverRanks,
    nn.BatchNorm2d: BatchNorm2dOverRanks,
}
SHARED: tuple[type[nn.Module], ...] = (nn.SyncBatchNorm, *OVER_RANKS.values())


def share_batch_norms(network: nn.Module) -> None:
    """Lets all batch norms of a network see the batch of all ranks, in place.

    Raises ValueError for a batch norm of a type of its own.
    """
    for name, module in network.named_modules():
        if type(module) in OVER_RANKS:
            module.__class__ = OVER_RANKS[type(module)]  # it keeps its place, weights and statistics
        elif isinstance(module, _BatchNorm) and not isinstance(module, SHARED):
            raise ValueError(f"{name} is a {type(module).__name__}, which sees the batch of one process only")
