"""Enlarging and shrinking images by two with a smoothing filter, as R3GAN and the StyleGANs do it."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

# [1, 2, 1] convolved with [1, 1]: the weights of bilinear interpolation, away from the border.
BILINEAR = (1.0, 3.0, 3.0, 1.0)


def smoothing_kernel(taps: tuple[float, ...] = BILINEAR) -> Tensor:
    """Builds a smoothing kernel `(T, T)` of sum 1: the outer product of the taps with themselves.

    Raises ValueError unless the taps are symmetric and even in number: others would shift the picture by a
    part of a pixel.
    """
    if len(taps) % 2 or taps != taps[::-1]:
        raise ValueError(f"taps {taps}: resampling by two needs an even number of symmetric taps")
    row = torch.tensor(taps) / sum(taps)
    return torch.outer(row, row)


def filter_maps(x: Tensor, kernel: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Convolves each of the C maps of `(N, C, H, W)` with the kernel `(T, T)`, with zero padding."""
    channels = x.shape[1]
    return conv2d(x, kernel.expand(channels, 1, -1, -1), stride=stride, padding=padding, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Upsamples images by two with a smoothing filter: `(N, C, H, W)` → `(N, C, 2H, 2W)`.

    Zeros are put between the pixels, then filtered with four times the kernel. Zeros lie beyond the border,
    so a constant image fades there.
    """
    channels = x.shape[1]
    weight = (4 * kernel).expand(channels, 1, -1, -1)
    return conv_transpose2d(x, weight, stride=2, padding=len(kernel) // 2 - 1, groups=channels)


def downsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Downsamples images by two with a smoothing filter: `(N, C, H, W)` → `(N, C, H/2, W/2)`.

    It filters with the kernel, then keeps every second pixel: a quarter of the transpose of `upsample`, with
    zeros beyond the border likewise.
    """
    return filter_maps(x, kernel, padding=len(kernel) // 2 - 1, stride=2)


class Upsample(nn.Module):
    """Layer that upsamples by two with a smoothing filter; see `upsample`."""

    kernel: Tensor

    def __init__(self, taps: tuple[float, ...] = BILINEAR) -> None:
        super().__init__()
        self.register_buffer("kernel", smoothing_kernel(taps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return upsample(x, self.kernel)


class Downsample(nn.Module):
    """Layer that downsamples by two with a smoothing filter; see `downsample`."""

    kernel: Tensor

    def __init__(self, taps: tuple[float, ...] = BILINEAR) -> None:
        super().__init__()
        self.register_buffer("kernel", smoothing_kernel(taps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return downsample(x, self.kernel)


class Blur(nn.Module):
    """Layer that blurs with the filter [1, 2, 1] along both axes and keeps the size.

    It is StyleGAN's, after Zhang 2019. Zeros lie beyond the border.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("kernel", torch.outer(row, row), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return filter_maps(x, self.kernel, padding=1)
