"""Gaussian random fields with a known spectrum and a known covariance between their channels.

A field is the sum of waves of whole numbers of cycles over the short side of the frame. The amplitude of each
wave is a function of the index of the field, the channel and the wave alone: a larger picture adds finer
waves, and leaves the coarse ones as they are.
"""

import math

import torch
from torch import Tensor

from experiments.data.core.shapes import uniform

SLOPES = (2.5, 3.0, 3.0, 3.5, 4.0)  # of the channels: power is proportional to (cycles a side)^−slope
CHANNELS = len(SLOPES)
LARGEST = 1024  # pixels a side, which the numbering of the waves allows
NORMAL_WAVES = 64  # largest frequency of the waves whose power adds up to 1 in each channel
STEP = 2.0**-16  # values are multiples of it: the last bits of a Fourier transform depend on the batch
# Correlations of the amplitudes of waves between channels: neighbours alike, the first and last opposed.
CORRELATIONS = (
    (1.0, 0.6, 0.3, 0.0, -0.4),
    (0.6, 1.0, 0.5, 0.2, 0.0),
    (0.3, 0.5, 1.0, 0.5, 0.2),
    (0.0, 0.2, 0.5, 1.0, 0.4),
    (-0.4, 0.0, 0.2, 0.4, 1.0),
)


def frequencies(size: tuple[int, int]) -> Tensor:
    """Frequencies of the waves of a picture in cycles over its short side, float64 `(H, W // 2 + 1)`.

    They stand where `torch.fft.rfft2` has them.
    """
    height, width = size
    short = min(size)
    rows = torch.fft.fftfreq(height, 1 / short, dtype=torch.float64)
    columns = torch.fft.rfftfreq(width, 1 / short, dtype=torch.float64)
    return (rows[:, None].square() + columns.square()).sqrt()


def wave_powers(size: tuple[int, int]) -> Tensor:
    """Expected squared amplitude of every wave, float64 `(5, H, W // 2 + 1)`, at the places of `rfft2`.

    It is S_c(f) = A_c f^−slope; none for the mean, and for the highest frequency of an even side, whose waves
    a picture cannot hold. The amplitude A_c makes the variance of a channel 1, of all waves of up to 64
    cycles on a square.
    """
    height, width = size
    frequency = frequencies(size)
    is_held = torch.ones_like(frequency, dtype=torch.bool)
    is_held[0, 0] = False
    if height % 2 == 0:
        is_held[height // 2] = False
    if width % 2 == 0:
        is_held[:, width // 2] = False
    waves = torch.arange(-NORMAL_WAVES, NORMAL_WAVES + 1, dtype=torch.float64)
    square = (waves[:, None].square() + waves.square()).sqrt().flatten()
    square = square[square > 0]
    powers = []
    for slope in SLOPES:
        whole = square.pow(-slope).sum()
        powers.append(torch.where(is_held, frequency.clamp(min=1e-9).pow(-slope), 0.0) / whole)
    return torch.stack(powers)


def covariance(size: tuple[int, int]) -> Tensor:
    """Covariance of the channels at a pixel, float64 `(5, 5)`: the sum of all waves' cross-spectra."""
    amplitudes = wave_powers(size).sqrt()
    weight = torch.full((size[1] // 2 + 1,), 2.0, dtype=torch.float64)  # each with its mirror image
    weight[0] = 1.0
    shared = torch.einsum("ahw,bhw,w->ab", amplitudes, amplitudes, weight)
    return shared * torch.tensor(CORRELATIONS, dtype=torch.float64)


def draw_fields(indices: Tensor, size: tuple[int, int]) -> Tensor:
    """Draws the fields at `indices` (int64, `(B,)`), float32 `(B, 5, *size)`, a function of each index."""
    height, width = size
    device = indices.device
    rows = torch.fft.fftfreq(height, 1 / height, dtype=torch.float64).long().to(device)
    columns = torch.arange(width // 2 + 1, device=device)
    wave = (rows[:, None] + LARGEST // 2) * LARGEST + columns
    place = torch.arange(CHANNELS, device=device)[:, None, None] * LARGEST**2 + wave
    counters = indices.long()[:, None, None, None] * (8 * LARGEST**2) + place
    radius = (-2 * (1 - uniform(counters, 0).double()).log()).sqrt()  # Box and Muller 1958
    angle = 2 * math.pi * uniform(counters, 1).double()
    normal = torch.complex(radius * angle.cos(), radius * angle.sin()) / math.sqrt(2)
    mixing = torch.linalg.cholesky(torch.tensor(CORRELATIONS, dtype=torch.float64)).to(device)
    mixed = sum(mixing[:, c, None, None] * normal[:, c, None] for c in range(CHANNELS))
    waves = mixed * wave_powers(size).sqrt().to(device)
    # In the first column a wave and its mirror image both stand, and are one.
    half = (height - 1) // 2
    waves[:, :, height - half :, 0] = waves[:, :, 1 : half + 1, 0].conj().flip(2)
    fields = torch.fft.irfft2(waves, s=size, norm="forward")
    return fields.div(STEP).round().mul(STEP).float()
