"""Modulated convolutions: a style scales their weights (StyleGAN2, Karras et al. 2020, section 2.2)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gans.layers.equalized import EqualizedLinear


class ModulatedConvolution(nn.Module):
    """Modulated convolution: `(N, inputs, H, W)` and w `(N, w_dim)` → `(N, outputs, H, W)`.

    `w'_ijk = s_i w_ijk` (equation 1), with the style s = A(w); demodulated `w'' = w' / √(Σ_ik w'² + 10⁻⁸)`
    (equation 3), so that features keep unit standard deviation. The scale by samples is on the feature maps,
    before and after one convolution for all, which is the same.
    """

    def __init__(
        self, w_dim: int, inputs: int, outputs: int, kernel_size: int = 3, demodulates: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel_size, kernel_size))
        self.scale = 1 / math.sqrt(inputs * kernel_size**2)
        self.style = EqualizedLinear(w_dim, inputs, gain=1.0, bias=1.0)
        self.padding = kernel_size // 2
        self.demodulates = demodulates

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        weight, style = self.weight * self.scale, self.style(w)
        y = conv2d(x * style[:, :, None, None], weight, padding=self.padding)
        if not self.demodulates:
            return y
        squared = style.square() @ weight.square().sum(dim=(2, 3)).T
        return y * torch.rsqrt(squared + 1e-8)[:, :, None, None]
