"""Convolutions whose images, of few channels, do not slow a CPU down (losses/core/few_channels.py)."""

from typing import ClassVar

from torch import Tensor, nn

from losses.core.few_channels import convolve, convolve_transposed, geometry_of


class ImageConv2d(nn.Conv2d):
    """`nn.Conv2d` from images or to images: the same sums, sooner."""

    computes: ClassVar[type[nn.Module]] = nn.Conv2d

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if geometry := geometry_of(self):
            return convolve(input, weight, bias, geometry)
        return super()._conv_forward(input, weight, bias)


class ImageConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` to images: the same sums, sooner."""

    computes: ClassVar[type[nn.Module]] = nn.ConvTranspose2d

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        geometry = geometry_of(self)
        if geometry is None or output_size is not None:
            return super().forward(input, output_size)
        rows, columns = self.output_padding
        return convolve_transposed(input, self.weight, self.bias, geometry, (int(rows), int(columns)))
