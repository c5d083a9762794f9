"""Modulated convolutions: a style scales their weights (StyleGAN2, Karras et al. 2020, section 2.2)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from gans.layers.equalized import EqualizedLinear
from gans.layers.resample import filter_maps, smoothing_kernel


class ModulatedConvolution(nn.Module):
    """Modulated convolution: `(N, inputs, H, W)` and w `(N, w_dim)` → `(N, outputs, H, W)`.

    `w'_ijk = s_i w_ijk` (equation 1), with the style s = A(w); demodulated `w'' = w' / √(Σ_ik w'² + 10⁻⁸)`
    (equation 3), so that features keep unit standard deviation. The scale by samples is on the feature maps,
    before and after one convolution for all, which is the same.

    Args:
        demodulates: else the weights have the scale 1 / √(inputs · k²), as equalized ones do.
        enlarges: `(N, outputs, 2H, 2W)`, by a transposed convolution of stride 2 that a smoothing filter
            follows, as published. The filter sees what lies beyond the border.
    """

    kernel: Tensor

    def __init__(
        self,
        w_dim: int,
        inputs: int,
        outputs: int,
        kernel_size: int = 3,
        demodulates: bool = True,
        enlarges: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel_size, kernel_size))
        self.scale = 1.0 if demodulates else 1 / math.sqrt(inputs * kernel_size**2)
        self.style = EqualizedLinear(w_dim, inputs, gain=1.0, bias=1.0)
        self.padding = kernel_size // 2
        self.demodulates, self.enlarges = demodulates, enlarges
        if enlarges:
            self.register_buffer("kernel", 4 * smoothing_kernel(), persistent=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.style(w) * self.scale
        y = self._convolve(x * style[:, :, None, None])
        if not self.demodulates:
            return y
        squared = style.square() @ self.weight.square().sum(dim=(2, 3)).T
        return y * torch.rsqrt(squared + 1e-8)[:, :, None, None]

    def _convolve(self, x: Tensor) -> Tensor:
        if not self.enlarges:
            return conv2d(x, self.weight, padding=self.padding)
        return filter_maps(conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), self.kernel, padding=1)
