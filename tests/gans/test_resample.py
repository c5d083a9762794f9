"""Resampling by two against convolutions written out by another library, in float64."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor
from torch.nn.functional import interpolate

from gans.layers.resample import BILINEAR, Downsample, Upsample, downsample, smoothing_kernel, upsample

TAPS = [BILINEAR, (1.0, 1.0), (1.0, 5.0, 10.0, 10.0, 5.0, 1.0)]
SIZES = [(4, 4), (7, 10), (6, 3)]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def convolved(plane: np.ndarray, taps: tuple[float, ...]) -> np.ndarray:
    """The plane convolved with the normalized taps along both axes, zeros beyond the border."""
    row = np.array(taps) / sum(taps)
    return convolve2d(plane, np.outer(row, row))


@pytest.mark.parametrize(("taps", "size"), list(product(TAPS, SIZES)), ids=str)
def test_upsample_spreads_pixels_and_smooths(taps: tuple[float, ...], size: tuple[int, int]) -> None:
    x = draw(2, 3, *size)
    actual = upsample(x, smoothing_kernel(taps).double())
    start = len(taps) // 2 - 1
    for sample, channel in product(range(2), range(3)):
        spread = np.zeros((2 * size[0] - 1, 2 * size[1] - 1))
        spread[::2, ::2] = x[sample, channel].numpy()
        whole = 4 * convolved(spread, taps)
        expected = whole[start : start + 2 * size[0], start : start + 2 * size[1]]
        np.testing.assert_allclose(actual[sample, channel], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("taps", "size"), list(product(TAPS, SIZES)), ids=str)
def test_downsample_smooths_and_takes_every_second_pixel(
    taps: tuple[float, ...], size: tuple[int, int]
) -> None:
    x = draw(2, 3, 2 * size[0], 2 * size[1])
    actual = downsample(x, smoothing_kernel(taps).double())
    start = len(taps) // 2
    for sample, channel in product(range(2), range(3)):
        whole = convolved(x[sample, channel].numpy(), taps)
        expected = whole[start::2, start::2][: size[0], : size[1]]
        np.testing.assert_allclose(actual[sample, channel], expected, rtol=1e-6, atol=1e-7)


def test_away_from_the_border_upsampling_is_bilinear_interpolation() -> None:
    x = draw(1, 2, 6, 8)
    expected = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(Upsample().double()(x)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_a_constant_image_stays_constant_away_from_the_border() -> None:
    x = torch.full((1, 1, 8, 8), 3.0)
    assert (Upsample()(x)[..., 1:-1, 1:-1] == 3).all()
    assert (Downsample()(x)[..., 1:-1, 1:-1] == 3).all()


def test_down_is_a_quarter_of_the_transpose_of_up() -> None:
    small, large = draw(1, 2, 3, 5), draw(1, 2, 6, 10)
    up, down = Upsample().double()(small), Downsample().double()(large)
    torch.testing.assert_close((up * large).sum(), 4 * (small * down).sum())


@pytest.mark.parametrize("layer", [Upsample(), Downsample()], ids=["up", "down"])
def test_gradients_of_both_orders(layer: Upsample | Downsample) -> None:
    layer = layer.double()
    x = draw(1, 2, 4, 6).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda signal: layer(signal).tanh(), x)
    assert torch.autograd.gradgradcheck(lambda signal: layer(signal).tanh(), x)


def test_the_filter_is_no_weight() -> None:
    assert Upsample().state_dict() == {} and list(Downsample().parameters()) == []


@pytest.mark.parametrize("taps", [(1.0, 2.0, 1.0), (1.0, 2.0)])
def test_taps_that_would_shift_the_picture_are_refused(taps: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="even number of symmetric taps"):
        smoothing_kernel(taps)
