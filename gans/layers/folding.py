"""Folding of batch norms into the layers before them, for inference.

Batch norm with fixed statistics is a scale and a shift per channel: the layer before can do both.
"""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn

from gans.layers.batch_norm import OVER_RANKS
from gans.layers.deterministic import ReflectedConvolution
from losses.core.input_gradient import plain_type

# A layer, and the norm whose channels are the layer's outputs.
PAIRS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: nn.BatchNorm2d,
    ReflectedConvolution: nn.BatchNorm2d,
    nn.ConvTranspose2d: nn.BatchNorm2d,
    nn.Linear: nn.BatchNorm1d,
}


class FoldableConvolution(nn.Module):
    """Base of layers that compute with the weight of a convolution, into which a batch norm can be folded.

    Scaling and shifting their outputs must be the same as scaling the weight and shifting the bias.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Copies a network in evaluation mode, and folds batch norms in it into the layers before them.

    Every batch norm that directly follows a convolution, a transposed convolution, a layer over a convolution
    or a linear layer in an `nn.Sequential` becomes part of that layer: the same function but for rounding.
    Other norms stay; so do those after a layer that is used twice, or whose weight is computed from others
    (spectral norm). The Linear layers' inputs are vectors `(N, D)`.
    """
    network = copy.deepcopy(network).eval()
    uses = [module for _, module in network.named_modules(remove_duplicate=False)]
    for chain in uses:
        if isinstance(chain, nn.Sequential):
            for (_, outer), (name, norm) in pairwise(list(chain.named_children())):
                layer = outer.convolution if isinstance(outer, FoldableConvolution) else outer
                alone = all(sum(other is module for other in uses) == 1 for module in (layer, norm))
                if alone and _can_fold(layer, norm):
                    _fold(layer, norm)
                    setattr(chain, name, nn.Identity())
    return network


def _can_fold(layer: nn.Module, norm: nn.Module) -> bool:
    """Whether the norm can be folded into the layer."""
    # Exact types: a class of its own may compute with its weight what it likes.
    fits = (kind := plain_type(layer)) in PAIRS and type(norm) in (PAIRS[kind], OVER_RANKS[PAIRS[kind]])
    return fits and isinstance(norm.running_var, Tensor)


@torch.no_grad()
def _fold(layer: nn.Module, norm: nn.Module) -> None:
    """Folds a batch norm into a layer, in place.

    `γ (W x + b − μ) / √(σ² + ε) + β = (s W) x + s (b − μ) + β` with `s = γ / √(σ² + ε)`.
    """
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    scale = (norm.running_var + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    bias = -norm.running_mean if layer.bias is None else layer.bias - norm.running_mean
    shift = 0.0 if norm.bias is None else norm.bias
    layer.weight = nn.Parameter(_scale_weight(layer, scale), requires_grad=False)
    layer.bias = nn.Parameter(scale * bias + shift, requires_grad=False)


def _scale_weight(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, scale: Tensor) -> Tensor:
    """The layer's weight, with every output channel times its scale."""
    if not isinstance(layer, nn.ConvTranspose2d):
        return layer.weight * scale.view(-1, *[1] * (layer.weight.dim() - 1))
    # Transposed: (in, out / groups, …), where each group of inputs has outputs of its own.
    grouped = layer.weight.view(layer.groups, -1, *layer.weight.shape[1:])
    return (grouped * scale.view(layer.groups, 1, -1, 1, 1)).flatten(0, 1)
