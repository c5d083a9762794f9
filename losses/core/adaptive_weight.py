"""The weight of an adversarial loss beside a reconstruction loss, by their gradients (VQGAN)."""

import torch
from torch import Tensor

from losses.core.precision import to_full_precision
from losses.core.ranks import mean_over_ranks

SMALLEST = 1e-6  # δ of equation 7
LARGEST = 1e4


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """Computes `λ = ‖∇_L L_rec‖ / (‖∇_L L_GAN‖ + δ)`, at most 10⁴ (Esser et al. 2021, equation 7).

    With it both losses pull equally hard at the generator's last layer. The paper has δ = 10⁻⁶, its authors'
    code 10⁻⁴. Over several processes the gradients are those of the mean over all of them.

    Args:
        reconstruction, adversarial: scalars, whose graphs are kept.
        last_layer: weight L of the generator's last layer, on which both depend.

    Returns a scalar without gradient. Raises ValueError for a loss that does not depend on the last layer.

    >>> import torch
    >>> from losses.core.adaptive_weight import adaptive_weight
    >>> weight = torch.ones(2, requires_grad=True)
    >>> adaptive_weight((3 * weight).sum(), weight.sum(), weight).round(decimals=3)
    tensor(3.)
    """
    gradients = [
        _gradient(name, loss, last_layer)
        for name, loss in (("reconstruction", reconstruction), ("adversarial", adversarial))
    ]
    ours, theirs = mean_over_ranks(torch.stack(gradients)).reshape(2, -1).norm(dim=1)
    return (ours / (theirs + SMALLEST)).clamp(0.0, LARGEST)


def _gradient(name: str, loss: Tensor, last_layer: Tensor) -> Tensor:
    """The gradient of a loss at the last layer, in full precision, without a graph."""
    found = None
    if loss.requires_grad and last_layer.requires_grad:
        (found,) = torch.autograd.grad(loss, last_layer, retain_graph=True, allow_unused=True)
    if found is None:
        raise ValueError(
            f"the {name} loss does not depend on last_layer; give the weight of the layer that both losses "
            "go through last, such as decoder.last.weight"
        )
    return to_full_precision(found.detach())
