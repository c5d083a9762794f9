"""Filters that weigh the frequency bands of images apart (StyleGAN2-ADA, appendix B)."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from losses.core.batch_parts import memory_format_of
from losses.core.device_copies import copy_to
from losses.critic_augmentations.core.resampling import pad_by_mirroring
from losses.critic_augmentations.core.wavelets import SYM2

TAPS = 43  # of a filter
REACH = TAPS // 2  # pixels on either side
BANDS = 4
EXPECTED_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of the bands, lowest first, as spectra fall with 1 / f


def band_filters() -> Tensor:
    """Makes the filters of the four bands, lowest first, float64 `(4, 43)`, whose sum is a unit impulse.

    With L and K the autocorrelations of sym2's low-pass and high-pass filter, halved, they are
    `L(z) L(z²) L(z⁴)`, `L(z) L(z²) K(z⁴)`, `L(z) K(z²)` and `K(z)`.
    """
    taps = torch.tensor(SYM2, dtype=torch.float64)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    low, high = (_convolve(each, each.flip(0)) / 2 for each in (taps, taps * signs))
    bands = [
        _convolve(_convolve(low, _spread(low, 2)), _spread(low, 4)),
        _convolve(_convolve(low, _spread(low, 2)), _spread(high, 4)),
        _convolve(low, _spread(high, 2)),
        high,
    ]
    found = torch.zeros(BANDS, TAPS, dtype=torch.float64)
    for row, band in zip(found, bands, strict=True):
        row[REACH - len(band) // 2 :][: len(band)] = band
    return found


def band_gains(factors: Tensor) -> Tensor:
    """Gains of the bands `(N, 4)` from a factor of each, so that the expected power stays what it is."""
    power = torch.tensor(EXPECTED_POWER, dtype=torch.float64)
    gains = torch.ones_like(factors)
    for band in range(BANDS):
        one = torch.ones_like(factors)
        one[:, band] = factors[:, band]
        gains = gains * one / (one.square() @ power).sqrt()[:, None]
    return gains


def filter_images(images: Tensor, filters: Tensor) -> Tensor:
    """Filters images `(N, C, H, W)`, reflected at their borders, by rows `(N, 43)` along both axes."""
    count, channels, height, _ = images.shape
    padded = pad_by_mirroring(images, (REACH,) * 4).reshape(1, count * channels, height + TAPS - 1, -1)
    weights = copy_to(filters.to(images.dtype), images.device).repeat_interleave(channels, dim=0)
    rows = conv2d(padded, weights[:, None, None, :], groups=count * channels)
    both = conv2d(rows, weights[:, None, :, None], groups=count * channels)
    return both.reshape(images.shape).contiguous(memory_format=memory_format_of(images))


def _convolve(a: Tensor, b: Tensor) -> Tensor:
    """The product of two polynomials, from their coefficients."""
    product = a.new_zeros(len(a) + len(b) - 1)
    for index, each in enumerate(a.tolist()):
        product[index : index + len(b)] += each * b
    return product


def _spread(taps: Tensor, step: int) -> Tensor:
    """The polynomial with `z` raised to a power: zeros between its coefficients."""
    spread = taps.new_zeros((len(taps) - 1) * step + 1)
    spread[::step] = taps
    return spread
