"""Resampling of images under affine maps, without aliases, as a linear map that is twice differentiable."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import (
    affine_grid,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    grid_sample,
)

from losses.core.batch_parts import memory_format_of
from losses.core.device_copies import copy_to
from losses.critic_augmentations.core.affine import scaling, translation
from losses.critic_augmentations.core.wavelets import SYM6

MARGIN = 6  # pixels that the filters reach beyond the image
LARGEST_DENSE = 256  # pixels a side up to which filters are dense matrices
Margins = tuple[int, int, int, int]  # left, top, right, bottom


def resample(images: Tensor, inverse: Tensor) -> Tensor:
    """Resamples images `(N, C, H, W)` under affine maps; the canvas keeps its size.

    Images are reflected at their borders, doubled by the low-pass filter of the sym6 wavelet, sampled
    bilinearly and halved by that filter (StyleGAN2-ADA, appendix B). Beyond the reflection, which is as wide
    as the image less a pixel at most, lies 0.

    Args:
        inverse: matrices `(N, 3, 3)` from positions in the result to those in the images, in pixels from the
            centre, x right and y down; float64, in main memory.
    """
    count, channels, height, width = images.shape
    margins = reflected_margins(inverse, height, width)
    doubled = double(images, margins)
    maps = sampling_maps(inverse, margins, (height, width))
    size = 2 * (height + MARGIN), 2 * (width + MARGIN)
    maps = copy_to(maps.to(images.dtype), images.device)
    grid = affine_grid(maps, [count, channels, *size], align_corners=False)
    sampled: Tensor = _Sampling.apply(doubled, grid)
    return halve(sampled).contiguous(memory_format=memory_format_of(images))


def reflected_margins(inverse: Tensor, height: int, width: int) -> Margins:
    """Pixels by which a batch is enlarged on each side, so that all maps find what they ask for."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = torch.tensor([[-x, -y, 1.0], [x, -y, 1.0], [x, y, 1.0], [-x, y, 1.0]], dtype=torch.float64)
    reached = (inverse.double() @ corners.T)[:, :2]
    low, high = -reached.amin(dim=(0, 2)), reached.amax(dim=(0, 2))
    most = torch.tensor([width - 1, height - 1] * 2, dtype=torch.float64)
    excess = torch.cat([low, high]) + MARGIN - torch.tensor([x, y] * 2, dtype=torch.float64)
    left, top, right, bottom = excess.clamp_min(0).minimum(most).ceil().int().tolist()
    return left, top, right, bottom


def sampling_maps(inverse: Tensor, margins: Margins, size: tuple[int, int]) -> Tensor:
    """Makes the maps `(N, 2, 3)` from the doubled canvas to the padded and doubled images.

    Both are in coordinates from −1 to 1, with the edges at ±1.
    """
    left, top, right, bottom = margins
    height, width = size
    inverse = translation((left - right) / 2, (top - bottom) / 2) @ inverse.double()
    inverse = scaling(2.0, 2.0) @ inverse @ scaling(0.5, 0.5)
    inverse = translation(-0.5, -0.5) @ inverse @ translation(0.5, 0.5)
    padded = scaling(1 / (width + left + right), 1 / (height + top + bottom))
    return (padded @ inverse @ scaling(float(width + MARGIN), float(height + MARGIN)))[:, :2]


def pad_by_mirroring(images: Tensor, margins: Margins) -> Tensor:
    """Pads images by their mirror image, without the border itself; each margin is below the side."""
    left, top, right, bottom = margins
    for axis, (before, after) in ((3, (left, right)), (2, (top, bottom))):
        size = images.shape[axis]
        first = images.narrow(axis, 1, before).flip(axis)
        last = images.narrow(axis, size - 1 - after, after).flip(axis)
        images = torch.cat([first, images, last], dim=axis)
    return images


def double(images: Tensor, margins: Margins) -> Tensor:
    """Pads images `(N, C, H, W)` by their mirror image and doubles them.

    There are zeros between the pixels, and then the low-pass filter with a gain of 4.
    """
    height, width = images.shape[2:]
    left, top, right, bottom = margins
    if max(height, width) <= LARGEST_DENSE:
        rows, columns = (
            copy_to(doubling_matrix(*each).to(images.dtype), images.device)
            for each in ((height, top, bottom), (width, left, right))
        )
        return rows @ (images.contiguous() @ columns.T)
    maps = pad_by_mirroring(images, margins).flatten(0, 1)[:, None]
    taps = copy_to(2 * low_pass().to(images.dtype), images.device)
    maps = conv_transpose2d(maps, taps[None, None, :, None], stride=(2, 1), padding=(5, 0))
    maps = conv_transpose2d(maps, taps[None, None, None, :], stride=(1, 2), padding=(0, 5))
    return maps.view(*images.shape[:2], *maps.shape[2:])


def halve(images: Tensor) -> Tensor:
    """Halves images `(N, C, 2 (H + 6), 2 (W + 6))` to `(N, C, H, W)`: the filter, and every second pixel."""
    height, width = (side // 2 - MARGIN for side in images.shape[2:])
    if max(height, width) <= LARGEST_DENSE:
        rows, columns = (
            copy_to(halving_matrix(side).to(images.dtype), images.device) for side in (height, width)
        )
        return rows @ (images @ columns.T)
    taps = copy_to(low_pass().to(images.dtype), images.device)
    maps = images[:, :, 1:-1, 1:-1].flatten(0, 1)[:, None]
    maps = conv2d(maps, taps[None, None, :, None], stride=(2, 1))
    maps = conv2d(maps, taps[None, None, None, :], stride=(1, 2))
    return maps.view(*images.shape[:2], height, width)


def low_pass() -> Tensor:
    """The 12 taps of the low-pass filter, whose sum is 1, float64."""
    taps = torch.tensor(SYM6, dtype=torch.float64)
    return taps / taps.sum()


@lru_cache(maxsize=16)  # margins differ from batch to batch, and matrices of large images take megabytes
def doubling_matrix(side: int, before: int, after: int) -> Tensor:
    """Makes the matrix `(2 (side + before + after), side)` that `double` is along one axis, float64.

    Convolutions of one channel are slow on CPUs: for small images a dense product takes a tenth of the time.
    """
    mirrored = pad_by_mirroring(torch.eye(side, dtype=torch.float64)[None, None], (0, before, 0, after))[0, 0]
    taps = 2 * low_pass()
    return conv_transpose1d(mirrored.T[:, None], taps[None, None], stride=2, padding=5)[:, 0].T.contiguous()


@lru_cache(maxsize=64)
def halving_matrix(side: int) -> Tensor:
    """Makes the matrix `(side, 2 (side + 6))` that `halve` is along one axis, float64."""
    identity = torch.eye(2 * (side + MARGIN), dtype=torch.float64)[:, None, 1:-1]
    return conv1d(identity, low_pass()[None, None], stride=2)[:, 0].T.contiguous()


class _Sampling(torch.autograd.Function):
    """Bilinear sampling of images; its backward pass is the adjoint map, which is differentiable again."""

    @staticmethod
    def forward(context: Any, images: Tensor, grid: Tensor) -> Tensor:
        context.save_for_backward(grid)
        context.shape = images.shape
        return grid_sample(images, grid, align_corners=False)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = context.saved_tensors
        return _Spreading.apply(gradients[0], grid, context.shape), None


class _Spreading(torch.autograd.Function):
    """The adjoint of bilinear sampling: each number is spread over the pixels that it would be mixed of."""

    @staticmethod
    def forward(context: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        context.save_for_backward(grid)
        if gradient.device.type not in ("cpu", "meta") and torch.are_deterministic_algorithms_enabled():
            return spread_in_order(gradient, grid, shape)
        images = gradient.new_zeros(shape)
        spread = torch.ops.aten.grid_sampler_2d_backward
        found: Tensor = spread(gradient.contiguous(), images, grid, 0, 0, False, [True, False])[0]
        return found

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = context.saved_tensors
        return _Sampling.apply(gradients[0], grid), None, None


def spread_in_order(gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
    """Computes the adjoint of bilinear sampling with the same bits at every run, also on a GPU."""
    count, channels, height, width = shape
    values = gradient.permute(0, 2, 3, 1).reshape(-1, channels)
    column, row = (((grid[..., axis] + 1) * side - 1) / 2 for axis, side in ((0, width), (1, height)))
    images = torch.arange(count, device=grid.device).view(-1, 1, 1)
    spread = gradient.new_zeros(count * height * width, channels)
    for y in (row.floor(), row.floor() + 1):
        for x in (column.floor(), column.floor() + 1):
            is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            weight = (1 - (row - y).abs()) * (1 - (column - x).abs()) * is_inside
            pixel = images * height * width + (y * width + x).where(is_inside, 0).long()
            spread.index_add_(0, pixel.flatten(), values * weight.reshape(-1, 1))
    return spread.reshape(count, height, width, channels).permute(0, 3, 1, 2).contiguous()
