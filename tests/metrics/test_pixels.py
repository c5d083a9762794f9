"""Scores of images beside their targets: closed forms, and what a reference implementation finds."""

import math

import pytest
import torch
from torch import Tensor

from metrics.core.pairs import PairMetric
from metrics.l1 import L1
from metrics.psnr import LARGEST, PeakSignalNoiseRatio
from metrics.ssim import StructuralSimilarity

ALL = pytest.mark.parametrize("kind", [L1, PeakSignalNoiseRatio, StructuralSimilarity])


def score(kind: type[PairMetric], made: Tensor, targets: Tensor) -> float:
    metric = kind()
    metric.update(torch.stack([made, targets], dim=1))
    return metric.compute()[kind.name]


def level(value: float, count: int = 1) -> Tensor:
    return torch.full((count, 3, 16, 16), value, dtype=torch.float64)


def noise(count: int, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 16, 16, dtype=torch.float64, generator=random) * 2 - 1


def test_l1_is_the_mean_distance_on_the_networks_range() -> None:
    assert score(L1, level(0.25), level(-0.5)) == pytest.approx(0.75, rel=1e-15)
    assert score(L1, level(1.0), level(-1.0)) == 2
    half = level(0.0)
    half[:, :, :8] = 1.0
    assert score(L1, half, level(0.0)) == 0.5


def test_psnr_of_a_level_apart() -> None:
    """20 log₁₀(2 / d) for images a distance d apart; a level of 255 is 48.1 dB, as everybody's tables say."""
    assert score(PeakSignalNoiseRatio, level(0.5), level(0.3)) == pytest.approx(20, rel=1e-12)
    assert score(PeakSignalNoiseRatio, level(2 / 255), level(0.0)) == pytest.approx(
        20 * math.log10(255), rel=1e-12
    )


def test_psnr_is_a_mean_over_images() -> None:
    """Of an image at 20 dB and one at 40 dB it is 30; the ratio of the mean error would be 23."""
    made = torch.cat([level(0.2), level(0.02)])
    assert score(PeakSignalNoiseRatio, made, level(0.0, 2)) == pytest.approx(30, rel=1e-12)


def test_psnr_is_torchmetrics_of_each_image() -> None:
    """Which has the logarithm of 10 in float32."""
    from torchmetrics.functional.image import peak_signal_noise_ratio  # which takes seconds to import

    made, targets = 0.3 * noise(5, 0), noise(5, 1)
    theirs = peak_signal_noise_ratio(made, targets, data_range=2.0, reduction="none", dim=(1, 2, 3))
    assert score(PeakSignalNoiseRatio, made, targets) == pytest.approx(theirs.mean().item(), rel=1e-6)


def test_psnr_of_equal_images_is_finite() -> None:
    """And no larger than that of an error by rounding alone: uniform on a level of 256, a twelfth of its
    square."""
    assert score(PeakSignalNoiseRatio, noise(2, 0), noise(2, 0)) == LARGEST
    rounding = (2 / 255) * (torch.arange(16 * 16 * 3, dtype=torch.float64) + 0.5).div(16 * 16 * 3).sub(0.5)
    made = level(0.0) + rounding.view(1, 3, 16, 16)
    assert score(PeakSignalNoiseRatio, made, level(0.0)) == pytest.approx(LARGEST, abs=1e-4)


def test_ssim_of_flat_images_is_their_luminance() -> None:
    """(2 a b + c) / (a² + b² + c) on [0, 1] with c = 0.01²: without structure nothing else is left."""
    a, b, c = 0.75, 0.25, 0.01**2
    expected = (2 * a * b + c) / (a**2 + b**2 + c)
    assert score(StructuralSimilarity, level(0.5), level(-0.5)) == pytest.approx(expected, rel=1e-6)


def test_ssim_of_equal_and_of_inverted_images() -> None:
    assert score(StructuralSimilarity, noise(3, 0), noise(3, 0)) == 1
    assert score(StructuralSimilarity, noise(3, 0), -noise(3, 0)) < -0.7
    assert abs(score(StructuralSimilarity, noise(3, 0), noise(3, 1))) < 0.1


def test_ssim_does_not_see_the_order_of_a_pair() -> None:
    one = score(StructuralSimilarity, noise(3, 0), noise(3, 1))
    assert one == pytest.approx(score(StructuralSimilarity, noise(3, 1), noise(3, 0)), rel=1e-9)


@ALL
@pytest.mark.parametrize("shape", [(4, 3, 8, 8), (4, 3, 3, 8, 8)])
def test_what_is_no_pair_is_refused(kind: type[PairMetric], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"^{kind.name}: takes pairs \(N, 2, C, H, W\), not shape"):
        kind().update(torch.zeros(shape))


def test_images_smaller_than_half_a_window_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^ssim: images of 5x9, needs at least 6 pixels a side"):
        score(StructuralSimilarity, torch.zeros(1, 3, 5, 9), torch.zeros(1, 3, 5, 9))
    score(StructuralSimilarity, torch.zeros(1, 3, 6, 6), torch.zeros(1, 3, 6, 6))
