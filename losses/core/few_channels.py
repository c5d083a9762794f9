"""Convolutions between images, of few channels, and feature maps, of many, at full speed on CPUs.

There a convolution whose result has three channels runs at a fifth of the speed of any other, because its
inner loops go over sixteen channels of the result. A block of pixels of the result, taken as channels, fills
them: the transposed convolution becomes a convolution to all phases of its stride (Shi et al. 2016,
arXiv:1609.05158 and 1609.07009), and neighbouring pixels are phases too where the stride is 1. It is the same
sum of the same products.
"""

from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad, pixel_shuffle

FEW = 4  # channels of an image: red, green, blue and opacity
MANY = 16  # channels of feature maps from which on it pays


class Geometry(NamedTuple):
    """Stride and padding of a convolution, the same along both axes."""

    stride: int
    padding: int


def geometry_of(layer: nn.Conv2d | nn.ConvTranspose2d) -> Geometry | None:
    """The geometry of a layer; None for one with groups, dilation, other borders, or unequal axes."""
    simple = layer.groups == 1 and set(layer.dilation) == {1} and layer.padding_mode == "zeros"
    if not simple or isinstance(layer.padding, str) or len({*layer.stride}) + len({*layer.padding}) > 2:
        return None
    return Geometry(layer.stride[0], int(layer.padding[0]))


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Convolves `(N, inputs, H, W)` as `conv2d` does, fast where inputs or outputs are images.

    Args:
        weight: `(outputs, inputs, kernel, kernel)`.
    """
    # A convolution of stride 1 is a transposed one, with its weights turned round.
    turned = Geometry(1, weight.shape[2] - 1 - geometry.padding)
    if geometry.stride == 1 and is_fast(x, (weight.shape[0], weight.shape[1]), weight, turned):
        return convolve_transposed(x, weight.flip(2, 3).transpose(0, 1), bias, turned)
    if x.requires_grad and is_fast(x, (weight.shape[1], weight.shape[0]), weight, geometry):
        return _ConvolveImages.apply(*_cast_as_asked(x, weight, bias), geometry)
    return conv2d(x, weight, bias, *geometry)


def convolve_transposed(
    x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, extra: tuple[int, int] = (0, 0)
) -> Tensor:
    """Convolves `(N, inputs, H, W)` as `conv_transpose2d` does, fast where the outputs are images.

    Args:
        weight: `(inputs, outputs, kernel, kernel)`.
        extra: rows and columns that the result has beyond those that are reached.
    """
    if not is_fast(x, (weight.shape[1], weight.shape[0]), weight, geometry):
        return conv_transpose2d(x, weight, bias, *geometry, output_padding=extra)
    images: Tensor = _ConvolveToImages.apply(*_cast_as_asked(x, weight), geometry, extra)
    return images if bias is None else images + bias.to(images.dtype)[:, None, None]


def is_fast(x: Tensor, channels: tuple[int, int], weight: Tensor, geometry: Geometry) -> bool:
    """Whether a convolution from or to images is faster by phases.

    Compiled and exported networks keep the plain layer, and so do other devices.

    Args:
        channels: of the images, and of the feature maps.
    """
    few, many = channels
    return (
        few <= FEW
        and many >= MANY
        and x.device.type == "cpu"
        and x.dim() == 4
        and weight.shape[2] == weight.shape[3] > max(1, geometry.padding)
        and geometry.padding >= 0
        and not torch.compiler.is_compiling()
        and torch._C._functorch.peek_interpreter_stack() is None  # vmap and its kin
    )


def _cast_as_asked(*tensors: Tensor | None) -> list[Tensor | None]:
    """Casts tensors to what autocast asks for on a CPU, if it is on: it does not look into a function."""
    if not torch.is_autocast_enabled("cpu"):
        return list(tensors)
    asked = torch.get_autocast_dtype("cpu")
    return [each if each is None or each.dtype == torch.float64 else each.to(asked) for each in tensors]


class _ConvolveImages(torch.autograd.Function):
    """Convolution of images, whose gradient at the images is `_ConvolveToImages`."""

    @staticmethod
    def forward(
        context: Any, images: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry
    ) -> Tensor:
        context.save_for_backward(images, weight)
        context.geometry = geometry
        return conv2d(images, weight, bias, *geometry)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:
        (images, weight), geometry = context.saved_tensors, context.geometry
        needs_images, needs_weight, needs_bias, _ = context.needs_input_grad
        extra = _unreached(images, gradient, weight, geometry)
        return (
            _ConvolveToImages.apply(gradient, weight, geometry, extra) if needs_images else None,
            _weight_gradient(images, gradient, weight, geometry) if needs_weight else None,
            gradient.sum(dim=(0, 2, 3)) if needs_bias else None,
            None,
        )


class _ConvolveToImages(torch.autograd.Function):
    """Transposed convolution to images, whose gradient at the maps is `_ConvolveImages`."""

    @staticmethod
    def forward(
        context: Any, maps: Tensor, weight: Tensor, geometry: Geometry, extra: tuple[int, int]
    ) -> Tensor:
        context.save_for_backward(maps, weight)
        context.geometry = geometry
        return _convolve_to_phases(maps, weight, geometry, extra)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:
        (maps, weight), geometry = context.saved_tensors, context.geometry
        needs_maps, needs_weight, *_ = context.needs_input_grad
        return (
            _ConvolveImages.apply(gradient, weight, None, geometry) if needs_maps else None,
            _weight_gradient(gradient, maps, weight, geometry) if needs_weight else None,
            None,
            None,
        )


def _weight_gradient(images: Tensor, maps: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """The gradient of the convolution images → maps at its weight, for a gradient `maps` of its result."""
    stride, padding = ([each, each] for each in geometry)
    arguments = (maps, images, weight, None, stride, padding, [1, 1], False, [0, 0], 1, [False, True, False])
    return torch.ops.aten.convolution_backward(*arguments)[1]


def _unreached(images: Tensor, maps: Tensor, weight: Tensor, geometry: Geometry) -> tuple[int, int]:
    """Rows and columns at the end of images that a convolution skips, because of its stride."""
    sizes = zip(images.shape[2:], maps.shape[2:], weight.shape[2:], strict=True)
    height, width = (
        whole - ((size - 1) * geometry.stride - 2 * geometry.padding + kernel)
        for whole, size, kernel in sizes
    )
    return height, width


def _convolve_to_phases(maps: Tensor, weight: Tensor, geometry: Geometry, extra: tuple[int, int]) -> Tensor:
    """The transposed convolution, as a convolution to every phase of the result's pixels.

    Pixel `q · s + r` of the uncropped result, of phase r, is `Σⱼ maps[q − j] · weight[r + j · s]`.
    """
    stride, padding = geometry
    kernel = weight.shape[2]
    height, width = (
        (size - 1) * stride - 2 * padding + kernel + more
        for size, more in zip(maps.shape[2:], extra, strict=True)
    )
    if stride == 1:
        return _convolve_to_blocks(maps, weight.flip(2, 3).transpose(0, 1), padding)[:, :, :height, :width]
    taps = -(-kernel // stride)
    missing = taps * stride - kernel
    padded = pad(weight, (0, missing, 0, missing))
    by_phase = padded.reshape(*weight.shape[:2], taps, stride, taps, stride)
    phases = by_phase.flip(2, 4).permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
    # Rows beyond what is reached are zeros of the padding.
    reach = max(0, max(extra) - padding - missing)
    border = pad(maps, (0, -(-reach // stride), 0, -(-reach // stride))) if reach else maps
    whole = pixel_shuffle(conv2d(border, phases, None, 1, taps - 1), stride)
    return whole[:, :, padding : padding + height, padding : padding + width]


def _convolve_to_blocks(maps: Tensor, weight: Tensor, cropped: int) -> Tensor:
    """The transposed convolution of stride 1 whose weights are turned round, in blocks of 2×2 pixels.

    The result may have a row and a column more than are asked for.
    """
    kernel = weight.shape[2]
    padding = kernel - 1 - cropped
    size = [side + 2 * padding - kernel + 1 for side in maps.shape[2:]]
    odd_rows, odd_columns = (side % 2 for side in size)
    phases = [pad(weight, (j, 1 - j, i, 1 - i)) for i, j in product(range(2), range(2))]
    blocks = torch.stack(phases, dim=1).flatten(0, 1)
    whole = pad(maps, (0, odd_columns, 0, odd_rows)) if odd_rows or odd_columns else maps
    return pixel_shuffle(conv2d(whole, blocks, None, 2, padding), 2)
