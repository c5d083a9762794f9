"""Layers with equalized learning rate: weights ~ N(0, 1), scaled when used (ProGAN, section 4.1).

An optimizer that normalizes its steps, as Adam does, moves every weight as far; with weights ~ N(0, 1) that
is as far in every layer. The scale of He et al. 2015 comes in at run time.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu, linear

GAIN = 2**0.5  # for a layer that a (leaky) ReLU follows


class EqualizedLinear(nn.Module):
    """Linear layer with equalized learning rate: `x ↦ W x · gain · lr / √inputs + b · lr`, W ~ N(0, 1 / lr).

    Args:
        lr_multiplier: makes the layer learn slower, and start as the others do (StyleGAN's mapping network).
        share: number of neighbouring outputs that share a bias, as the pixels of a feature map do.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        gain: float = GAIN,
        bias: float = 0.0,
        lr_multiplier: float = 1.0,
        share: int = 1,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs // share,), bias / lr_multiplier))
        self.scale = gain * lr_multiplier / math.sqrt(inputs)
        self.bias_scale, self.share = lr_multiplier, share

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(N, inputs)` to `(N, outputs)`."""
        bias = self.bias * self.bias_scale
        bias = bias if self.share == 1 else bias.repeat_interleave(self.share)
        return linear(x, self.weight * self.scale, bias)


class EqualizedConvolution(nn.Module):
    """Convolution with equalized learning rate: `(N, inputs, H, W)` → `(N, outputs, H, W)`.

    W ~ N(0, 1), and the scale is gain / √(inputs · k²).

    Args:
        padding: by default the one that keeps the size.
        pools: whether the mean of every square of 2×2 pixels is taken before the bias is added, as in the
            critics of ProGAN and StyleGAN: `(N, outputs, H/2, W/2)`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int = 3,
        gain: float = GAIN,
        bias: bool = True,
        stride: int = 1,
        padding: int | None = None,
        pools: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / math.sqrt(inputs * kernel_size**2)
        self.stride = stride
        self.padding = kernel_size // 2 if padding is None else padding
        self.pools = pools

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.pools else self.bias
        x = conv2d(x, self.weight * self.scale, bias, self.stride, self.padding)
        if not self.pools:
            return x
        x = avg_pool2d(x, 2)
        return x if self.bias is None else x + self.bias[:, None, None]


class ScaledLeakyReLU(nn.Module):
    """Leaky ReLU times √2 `x ↦ √2 · max(x, 0.2 x)`, the gain of StyleGAN2 (it has none in its weights).

    Biases lie within, so they learn as fast as weights.

    Args:
        clamp: largest magnitude of the result, which half precision needs; None for no bound.
    """

    negative_slope = 0.2

    def __init__(self, clamp: float | None = None) -> None:
        super().__init__()
        self.clamp = clamp

    def forward(self, x: Tensor) -> Tensor:
        x = leaky_relu(x, self.negative_slope) * GAIN
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)
