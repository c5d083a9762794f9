"""The critic's gradient at its input, differentiable in its weights, as gradient penalties need it.

The general way is automatic differentiation with a graph of the backward pass, and its second backward pass
then runs through the forward pass too. A critic of convolutions and (leaky) ReLU is piecewise linear: the
gradient is the transposed layers in reverse order, with the activations' slopes between them, and the
slopes do not move with the weights. Written down as that chain, it needs no graph of the forward pass and
an ordinary backward pass suffices. Both are the same function; the chain is faster.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from losses.core.few_channels import convolve_transposed, geometry_of

Critic = Callable[[Tensor], Tensor]
# (layer, gradient at its output, its output, the shape of its input) → gradient at its input
Transpose = Callable[[nn.Module, Tensor, Tensor, torch.Size], Tensor]


def input_gradient(critic: Critic, points: Tensor) -> Tensor:
    """Computes `∇C(x̂)` of every sample, in the shape of `points`, differentiable in the critic's weights.

    C is the mean of a sample's logits where the critic has several, one for each patch.

    One sum over the logits gives every sample's own gradient, because a critic without batch statistics
    scores each sample by itself.
    """
    layers = piecewise_linear_layers(critic)
    return gradient_by_autograd(critic, points) if layers is None else gradient_by_chain(layers, points)


def piecewise_linear_layers(critic: Critic) -> list[nn.Module] | None:
    """Lists the layers of a critic that is a plain chain of layers in TRANSPOSES; None for any other."""
    if not isinstance(critic, nn.Sequential) or type(critic).forward is not nn.Sequential.forward:
        return None
    if critic._forward_hooks or critic._forward_pre_hooks:
        return None
    whole = all(plain_type(layer) in TRANSPOSES and _is_plain(layer) for layer in critic)
    return list(critic) if whole else None


def plain_type(layer: nn.Module) -> type[nn.Module]:
    """The type of a layer, or that of PyTorch whose function it computes, by its attribute `computes`.

    Any other subclass, such as a layer with spectral norm, computes something else.
    """
    return getattr(type(layer), "computes", type(layer))


def without_compilation() -> AbstractContextManager[object]:
    """Calls networks as they are, compiled or not: the gradient of a compiled one has none."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def gradient_by_autograd(critic: Critic, points: Tensor) -> Tensor:
    """Computes the input gradient of any critic by double backward."""
    points = points.detach().requires_grad_(True)
    with torch.enable_grad(), without_compilation():
        logits = critic(points)
        judged = logits if logits.dim() == 1 else logits.flatten(1).mean(dim=1)
        (gradient,) = torch.autograd.grad(judged.sum(), points, create_graph=True)
    return gradient


def gradient_by_chain(layers: Sequence[nn.Module], points: Tensor) -> Tensor:
    """Computes the input gradient of a chain of layers: `Wᵀ₁ S₁ Wᵀ₂ S₂ … 1/n`.

    S are the slopes that the activations have at `points`, and n is the number of a sample's logits.
    """
    passed: list[tuple[nn.Module, Tensor, torch.Size]] = []
    with torch.no_grad():
        signal = points
        for layer in layers:
            shape = signal.shape
            signal = layer(signal)
            passed.append((layer, signal, shape))
    gradient = torch.full_like(signal, len(signal) / max(1, signal.numel()))
    for layer, output, shape in reversed(passed):
        gradient = TRANSPOSES[plain_type(layer)](layer, gradient, output, shape)
    return gradient


def _convolution(layer: nn.Module, gradient: Tensor, output: Tensor, shape: torch.Size) -> Tensor:
    """The gradient at a convolution's input."""
    assert isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str)
    # A stride may skip the last rows of its input: they are what the transposed convolution must add.
    reached = [
        (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
        for size, stride, padding, dilation, kernel in zip(
            output.shape[2:], layer.stride, layer.padding, layer.dilation, layer.kernel_size, strict=True
        )
    ]
    height, width = (whole - part for whole, part in zip(shape[2:], reached, strict=True))
    if geometry := geometry_of(layer):
        return convolve_transposed(gradient, layer.weight, None, geometry, (height, width))
    return conv_transpose2d(
        gradient,
        layer.weight,
        None,
        layer.stride,
        layer.padding,
        (height, width),
        layer.groups,
        layer.dilation,
    )


def _linear(layer: nn.Module, gradient: Tensor, output: Tensor, shape: torch.Size) -> Tensor:
    """The gradient at a linear layer's input."""
    assert isinstance(layer, nn.Linear)
    return gradient @ layer.weight


def _rectifier(layer: nn.Module, gradient: Tensor, output: Tensor, shape: torch.Size) -> Tensor:
    """The gradient at a (leaky) ReLU's input."""
    slope = layer.negative_slope if isinstance(layer, nn.LeakyReLU) else 0.0
    # The output has its input's sign, and is still there where the layer worked in place.
    rectify = torch.ops.aten.leaky_relu_backward
    return rectify(gradient, output, slope, True)


def _flatten(layer: nn.Module, gradient: Tensor, output: Tensor, shape: torch.Size) -> Tensor:
    """The gradient at a flattening's input."""
    return gradient.view(shape)


TRANSPOSES: dict[type[nn.Module], Transpose] = {
    nn.Conv2d: _convolution,
    nn.Linear: _linear,
    nn.LeakyReLU: _rectifier,
    nn.ReLU: _rectifier,
    nn.Flatten: _flatten,
}


def _is_plain(layer: nn.Module) -> bool:
    """Whether the layer is exactly what its type says: zero padding, a slope above 0, no hooks."""
    if isinstance(layer, nn.Conv2d) and (layer.padding_mode != "zeros" or isinstance(layer.padding, str)):
        return False
    if isinstance(layer, nn.LeakyReLU) and layer.negative_slope <= 0:
        return False
    return not layer._forward_hooks and not layer._forward_pre_hooks
