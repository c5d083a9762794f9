"""Blocks of layers that compute their activations again in the backward pass, and need less memory."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.checkpoint import checkpoint

from losses.core.precision import keep_precision


class RecomputableBlock(nn.Module):
    """A block of layers that may keep its inputs alone for the backward pass, which computes the rest again.

    Of a network of such blocks, activations take the memory of one block and of the blocks' inputs (Chen et
    al. 2016, arXiv:1604.06174). Random numbers are drawn again from the same state: bits stay the same, if no
    layer changes anything of its own as it computes.
    """

    recomputes = False

    def __call__(self, *inputs: Any) -> Any:
        if self.recomputes and torch.is_grad_enabled():
            call = keep_precision(super().__call__, inputs[0].device)
            return checkpoint(call, *inputs, use_reentrant=False)
        return super().__call__(*inputs)


class RecomputableLayers(RecomputableBlock, nn.Sequential):
    """A sequence of layers as one such block."""


def recompute_activations(*networks: nn.Module) -> None:
    """Lets all blocks of networks that can compute their activations again in the backward pass.

    Raises ValueError where there are no such blocks, and for layers in them that every forward pass changes.
    """
    modules = [module for network in networks for module in network.modules()]
    blocks = [module for module in modules if isinstance(module, RecomputableBlock)]
    if not blocks:
        raise ValueError(
            "it has no blocks whose activations can be computed again; leave out --activation-checkpointing"
        )
    for block in blocks:
        for layer in block.modules():
            if isinstance(layer, _BatchNorm) or is_parametrized(layer):
                kind = (
                    "batch norm"
                    if isinstance(layer, _BatchNorm)
                    else "weights made from others (spectral norm)"
                )
                raise ValueError(
                    f"its blocks have {kind}, which changes whenever they are computed; leave out "
                    "--activation-checkpointing"
                )
        block.recomputes = True
