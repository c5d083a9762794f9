"""Convolutions from and to images by phases: the same function as PyTorch's layers, with its derivatives."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.nn.functional import conv2d, conv_transpose2d

from gans.layers.image_convolutions import ImageConv2d, ImageConvTranspose2d
from losses.core import few_channels
from losses.core.few_channels import FEW, MANY, Geometry, convolve, convolve_transposed, is_fast
from losses.core.input_gradient import piecewise_linear_layers

SIZES = [
    (kernel, stride, padding)
    for kernel, stride, padding in product((2, 3, 4, 5, 7), (1, 2, 3), (0, 1, 2, 3))
    if padding < kernel
]


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def derivatives(result: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """A result, its gradients, and the gradients of a function of these."""
    torch.manual_seed(1)
    first = grad(result, inputs, torch.randn(result.shape, dtype=torch.float64), create_graph=True)
    second = grad(
        sum((each**2 * torch.randn(each.shape, dtype=torch.float64)).sum() for each in first), inputs[:2]
    )
    return [result, *first, *second]


def check_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("kernel", "stride", "padding"), SIZES)
@pytest.mark.parametrize("size", [(7, 8), (8, 7), (8, 8)])
def test_is_the_convolution_of_pytorch_with_two_derivatives(
    kernel: int, stride: int, padding: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    geometry = Geometry(stride, padding)
    from_image = [drawn(2, 3, *size), drawn(MANY, 3, kernel, kernel), drawn(MANY)]
    expected = derivatives(conv2d(*from_image, *geometry), from_image)
    check_equal(derivatives(convolve(*from_image, geometry), from_image), expected)

    to_image = [drawn(2, MANY, *size), drawn(3, MANY, kernel, kernel), drawn(3)]
    expected = derivatives(conv2d(*to_image, *geometry), to_image)
    check_equal(derivatives(convolve(*to_image, geometry), to_image), expected)

    transposed = [drawn(2, MANY, *size), drawn(MANY, 3, kernel, kernel), drawn(3)]
    for extra in range(stride):
        plain = conv_transpose2d(*transposed, *geometry, output_padding=extra)
        found = convolve_transposed(*transposed, geometry, (extra, extra))
        check_equal(derivatives(found, transposed), derivatives(plain, transposed))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_goes_by_phases_where_an_image_meets_feature_maps(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    plain = few_channels._convolve_to_phases
    monkeypatch.setattr(few_channels, "_convolve_to_phases", lambda *given: calls.append(1) or plain(*given))
    x = torch.randn(2, MANY, 8, 8)
    ImageConvTranspose2d(MANY, channels, 4, stride=2, padding=1)(x)
    ImageConv2d(MANY, channels, 3, padding=1)(x)
    assert len(calls) == 2
    images = torch.randn(2, channels, 8, 8, requires_grad=True)
    ImageConv2d(channels, MANY, 4, stride=2, padding=1)(images).sum().backward()
    assert len(calls) == 3
    ImageConv2d(channels, FEW, 4, stride=2, padding=1)(images).sum().backward()
    ImageConv2d(MANY, MANY, 3, padding=1)(x)
    assert len(calls) == 3


def test_is_not_on_other_devices_nor_for_points() -> None:
    weight = torch.randn(MANY, 3, 4, 4)
    assert is_fast(torch.randn(1, MANY, 4, 4), (3, MANY), weight, Geometry(2, 1))
    assert not is_fast(torch.randn(1, MANY, 4, 4, device="meta"), (3, MANY), weight, Geometry(2, 1))
    assert not is_fast(torch.randn(1, MANY, 4, 4), (3, MANY), weight[:, :, :1, :1], Geometry(1, 0))


@pytest.mark.parametrize(
    "layer",
    [ImageConv2d(3, MANY, 4, 2, 1), ImageConv2d(MANY, 3, 3, 1, 1), ImageConvTranspose2d(MANY, 3, 4, 2, 1)],
)
def test_under_autocast_it_returns_what_the_plain_layer_does(layer: nn.Module) -> None:
    x = torch.randn(2, layer.in_channels, 8, 8, requires_grad=True)
    plain = {ImageConv2d: nn.Conv2d, ImageConvTranspose2d: nn.ConvTranspose2d}[type(layer)]
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = layer(x), plain.forward(layer, x)
    assert found.dtype == expected.dtype == torch.bfloat16
    found.sum().backward()
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
    assert x.grad.dtype == layer.weight.grad.dtype == torch.float32


def test_a_critic_of_such_layers_is_a_chain() -> None:
    critic = nn.Sequential(ImageConv2d(3, MANY, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(MANY, 1))
    assert piecewise_linear_layers(critic) == list(critic)


def test_takes_single_images_and_maps_of_functions() -> None:
    layer, x = ImageConvTranspose2d(MANY, 3, 4, stride=2, padding=1), torch.randn(2, MANY, 8, 8)
    torch.testing.assert_close(layer(x[0]), layer(x)[0])
    torch.testing.assert_close(torch.func.vmap(layer)(x), layer(x))
