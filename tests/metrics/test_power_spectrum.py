"""Power spectra against closed forms: waves, white noise, mixed channels, and fields of a known spectrum."""

import math

import pytest
import torch

from experiments.data.core.random_fields import covariance, draw_fields, wave_powers
from metrics.core.spectra import ChannelStatistics, log_spectral_distance, rings
from metrics.power_spectrum import PowerSpectrum


def statistics_of(images: torch.Tensor) -> ChannelStatistics:
    found = ChannelStatistics("test")
    found.update(images)
    return found


@pytest.mark.parametrize("size", [(16, 16), (16, 24), (15, 15)])
def test_a_wave_has_all_its_power_in_its_ring(size: tuple[int, int]) -> None:
    """A cosine of amplitude a has a²/2, as two of the waves of its ring."""
    height, width = size
    columns = torch.arange(width, dtype=torch.float64)
    cycles = 3 * width / min(size)  # three over the short side
    wave = 0.5 * torch.cos(2 * math.pi * cycles / width * columns).expand(1, 1, height, width)
    spectrum = statistics_of(wave).spectra()[0]
    ring, weight = rings(size)
    expected = torch.zeros(min(size) // 2, dtype=torch.float64)
    expected[2] = 0.125 / weight[ring == 3].sum()
    if float(cycles).is_integer():
        torch.testing.assert_close(spectrum, expected, atol=1e-15, rtol=0)


def test_rings_hold_each_wave_once() -> None:
    for size in ((16, 16), (15, 15), (8, 20), (9, 20)):
        _, weight = rings(size)
        assert weight.sum() == size[0] * size[1]


def test_white_noise_has_equal_power_in_all_rings() -> None:
    torch.manual_seed(0)
    images = 3 * torch.randn(400, 1, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(
        statistics_of(images).spectra()[0], torch.full((8,), 9 / 256, dtype=torch.float64), atol=0, rtol=0.08
    )


def test_distances_of_scaled_and_mixed_channels_are_known() -> None:
    """Twice the amplitude is 20 log₁₀ 2 dB; channels that share half of their variance correlate by ½."""
    torch.manual_seed(0)
    a, b, c = torch.randn(3, 500, 16, 16, dtype=torch.float64)
    reals = torch.stack([a, b], dim=1)
    metric = PowerSpectrum(reals.split(64))
    metric.update(2 * reals)
    scores = metric.compute()
    assert scores["log_spectral_distance"] == pytest.approx(20 * math.log10(2), abs=1e-9)
    assert scores["correlation_distance"] == pytest.approx(0, abs=1e-12)
    assert scores["deviation_distance"] == pytest.approx(1, abs=1e-9)
    metric.reset()
    metric.update(torch.stack([a + c, b + c], dim=1) / math.sqrt(2) + 0.5)
    scores = metric.compute()
    assert scores["correlation_distance"] == pytest.approx(0.5, abs=0.01)
    assert scores["log_spectral_distance"] < 0.3
    assert scores["mean_distance"] == pytest.approx(0.5, abs=0.01)


def test_fields_have_the_spectrum_that_they_are_drawn_from() -> None:
    size = (32, 32)
    found = statistics_of(torch.cat([draw_fields(torch.arange(i, i + 64), size) for i in range(0, 512, 64)]))
    ring, weight = rings(size)
    powers = wave_powers(size).flatten(1) * weight
    known = torch.stack(
        [powers[:, ring == k].sum(dim=1) / weight[ring == k].sum() for k in range(1, 17)], dim=1
    )
    # A ring of n waves, half of them free, of 512 images: spread of √(2 / 512 n) of its power. The last ring
    # has waves that a picture cannot hold.
    assert log_spectral_distance(found.spectra()[:, :15], known[:, :15]).max() < 0.2
    torch.testing.assert_close(found.covariance(), covariance(size), atol=0.06, rtol=0)


def test_what_is_no_image_or_constant_is_refused_in_a_line() -> None:
    images = torch.randn(4, 2, 8, 8)
    images[:, 1] = 0.5
    with pytest.raises(ValueError, match="channel 2 of 2 is constant"):
        PowerSpectrum([images])
    with pytest.raises(ValueError, match="at least 4 pixels a side"):
        PowerSpectrum([torch.randn(4, 2, 2, 8)])
    metric = PowerSpectrum([torch.randn(4, 2, 8, 8)])
    with pytest.raises(ValueError, match="the real ones of"):
        metric.update(torch.randn(4, 3, 8, 8))
    metric.update(torch.zeros(4, 2, 8, 8))  # a generator that has collapsed is no error
    assert metric.compute()["deviation_distance"] == 1
