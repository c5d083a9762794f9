"""Streamed moments, files of statistics, and the Fréchet distance against closed forms and other code."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from pytorch_fid.fid_score import calculate_frechet_distance
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from metrics.core.statistics import Moments, Statistics, frechet_distance


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def measured(vectors: Tensor, batch: int = 1000) -> Statistics:
    moments = Moments()
    for part in vectors.split(batch):
        moments.update(part)
    return moments.statistics()


def some_covariance(width: int, rows: int) -> Tensor:
    x = double(rows, width)
    return x.T @ x / rows


def gaussian(mean: Tensor, covariance: Tensor) -> Statistics:
    return Statistics(mean, covariance, count=0)


def general_root(a: Statistics, b: Statistics) -> float:
    """The distance by scipy's root of a general matrix."""
    root = scipy.linalg.sqrtm((a.covariance @ b.covariance).numpy())
    traces = a.covariance.trace() + b.covariance.trace()
    return float((a.mean - b.mean).square().sum() + traces - 2 * np.trace(root).real)


def torch_fidelity(x: Tensor, y: Tensor) -> float:
    statistics = [fid_features_to_statistics(side.double()) for side in (x, y)]
    return float(fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"])


# Moments


@pytest.mark.parametrize("width", [3, 700])
@pytest.mark.parametrize("count", [2, 300, 1024, 1025, 2048, 5000])
def test_moments_are_numpys(width: int, count: int) -> None:
    """Multiples of a block, which is 1,024 rows, included."""
    vectors = 5.0 + double(count, width)
    found = measured(vectors, batch=97)
    assert found.count == count
    np.testing.assert_allclose(found.mean, vectors.mean(dim=0), rtol=1e-12)
    expected = np.cov(vectors.numpy(), rowvar=False)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(measured(vectors, batch=count).covariance, found.covariance)


def test_batch_size_does_not_change_a_bit_and_order_only_the_last() -> None:
    vectors = 100.0 + torch.randn(4000, 20)
    once = measured(vectors, batch=4000)
    for batch in (1, 64, 1023, 1025):
        again = measured(vectors, batch)
        assert torch.equal(again.mean, once.mean)
        assert torch.equal(again.covariance, once.covariance)
    shuffled = measured(vectors[torch.randperm(4000)])
    torch.testing.assert_close(shuffled.mean, once.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(shuffled.covariance, once.covariance, rtol=1e-9, atol=1e-12)


def test_a_mean_far_from_zero_costs_no_digits() -> None:
    """E[x²] − E[x]² would lose all of them: 10¹⁶ against a variance of 1."""
    vectors = double(5000, 4)
    shifted = measured(vectors + 1e8)
    torch.testing.assert_close(shifted.covariance, measured(vectors).covariance, rtol=1e-6, atol=1e-7)


def test_float32_vectors_are_summed_in_float64() -> None:
    vectors = 1000.0 + torch.randn(3000, 5)
    found = measured(vectors)
    torch.testing.assert_close(found.mean, vectors.double().mean(dim=0), rtol=1e-14, atol=0)
    assert found.covariance.dtype == torch.float64


def test_vectors_are_kept_only_while_there_are_few() -> None:
    few, many = measured(double(40, 40)), measured(double(41, 40))
    assert few.centred is not None
    torch.testing.assert_close(few.centred.T @ few.centred, few.covariance)
    assert many.centred is None


def test_vectors_that_moments_refuse() -> None:
    moments = Moments(3, "fid")
    with pytest.raises(ValueError, match="fid: rows of 4 numbers beside rows of 3"):
        moments.update(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="not shape"):
        moments.update(torch.zeros(3))
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="fid: 1 of 2 rows are not finite"):
            moments.update(torch.tensor([[0.0, 1.0, 2.0], [0.0, value, 2.0]]))
    moments.update(torch.full((1, 3), 3e38))  # finite, though their sum in float32 is not
    with pytest.raises(ValueError, match="fid: 1 sample, needs at least 2"):
        moments.statistics()


# The distance in closed form


def test_distance_of_commuting_gaussians() -> None:
    """With common eigenvectors it is |Δμ|² + Σ (√λ₁ − √λ₂)²."""
    rotation = torch.linalg.qr(double(60, 60)).Q
    first, second = torch.rand(2, 60, dtype=torch.float64) + 0.01
    a = gaussian(double(60), rotation * first @ rotation.T)
    b = gaussian(double(60), rotation * second @ rotation.T)
    expected = (a.mean - b.mean).square().sum() + (first.sqrt() - second.sqrt()).square().sum()
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-12)


def test_distance_of_gaussians_that_do_not_commute() -> None:
    """In the plane Tr √M = √(Tr M + 2 √det M)."""
    s1 = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    s2 = torch.tensor([[4.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    a, b = gaussian(torch.tensor([1.0, 2.0]), s1), gaussian(torch.tensor([0.0, 4.0]), s2)
    product = s1 @ s2
    root = math.sqrt(product.trace().item() + 2 * math.sqrt(torch.linalg.det(product).item()))
    assert frechet_distance(a, b) == pytest.approx(5.0 + 10.0 - 2 * root, rel=1e-13)


def test_wide_tiles_agree_with_a_general_root() -> None:
    """More columns than one tile of the triangular product."""
    a, b = (gaussian(double(300), some_covariance(300, 400)) for _ in range(2))
    assert frechet_distance(a, b) == pytest.approx(general_root(a, b), rel=1e-10)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-12)


@pytest.mark.parametrize("width", [255, 600])
def test_few_vectors_against_more_features_than_a_tile(width: int) -> None:
    """By the singular values of `X₁F₂ᵀ`, the square root of what the distance forms."""
    a, b = measured(double(40, width)), measured(double(2000, width) * torch.logspace(0, -3, width) + 0.1)
    assert a.centred is not None and b.root.upper_triangular
    root = torch.linalg.svdvals(a.centred @ b.root.factor.T).sum()
    means = (a.mean - b.mean).square().sum()
    expected = (means + a.covariance.trace() + b.covariance.trace() - 2 * root).item()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-11)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-11)


def test_equal_statistics_have_distance_zero() -> None:
    for rows in (30, 400):
        a = measured(double(rows, 50))
        assert 0 <= frechet_distance(a, a) < 1e-11


@pytest.mark.parametrize("null", [1, 20, 49])
def test_singular_covariances_are_exact(null: int) -> None:
    """Where both have null directions, rounding there must not count by its root."""
    rotation = torch.linalg.qr(double(50, 50)).Q
    first, second = torch.logspace(0, -4, 50).double(), torch.logspace(-3, 1, 50).double()
    first[:null], second[1 : null + 1] = 0, 0
    a = gaussian(torch.zeros(50), rotation * first @ rotation.T)
    b = gaussian(torch.zeros(50), rotation * second @ rotation.T)
    expected = (first.sqrt() - second.sqrt()).square().sum().item()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)
    assert [len(side.root.factor) for side in (a, b)] == [50 - null, 50 - null]


def test_a_collapsed_generator_is_as_far_as_its_point() -> None:
    """[19] Zero covariance: |Δμ|² + Tr Σ₂, whichever side collapsed and however many samples."""
    real = measured(double(400, 50))
    for count in (20, 300):
        collapsed = measured(torch.full((count, 50), 0.3, dtype=torch.float64))
        expected = (real.mean - 0.3).square().sum() + real.covariance.trace()
        assert frechet_distance(collapsed, real) == pytest.approx(expected.item(), rel=1e-12)
        assert frechet_distance(real, collapsed) == pytest.approx(expected.item(), rel=1e-12)
        assert frechet_distance(collapsed, collapsed) < 1e-12
    zero = gaussian(torch.zeros(50), torch.zeros(50, 50))
    assert frechet_distance(zero, zero) == 0


@pytest.mark.parametrize(("few", "many"), [(20, 200), (200, 20), (20, 30), (50, 50), (51, 2), (300, 400)])
def test_low_rank_forms_are_the_full_formula(few: int, many: int) -> None:
    """[19] The same distance from vectors as from covariances of full size, by the eigenvalues of Σ₁Σ₂."""
    x, y = double(few, 50) * torch.linspace(1, 0.1, 50), double(many, 50) + 0.5
    a, b = measured(x), measured(y)
    values = torch.linalg.eigvals(a.covariance @ b.covariance).real.clamp(min=0)
    rank = min(few, many, 51) - 1
    root = values.sort(descending=True).values[:rank].sqrt().sum()
    means = (a.mean - b.mean).square().sum()
    expected = (means + a.covariance.trace() + b.covariance.trace() - 2 * root).item()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    forgetful = [Statistics(side.mean, side.covariance, side.count) for side in (a, b)]
    assert frechet_distance(*forgetful) == pytest.approx(expected, rel=1e-6)


# Other code


@pytest.mark.parametrize(("few", "tolerance"), [(2000, 1e-10), (100, 1e-6)])
def test_agrees_with_torch_fidelity_and_pytorch_fid(few: int, tolerance: float) -> None:
    """With fewer vectors than features theirs are rounded by the roots of zeros, so to less."""
    x, y = (torch.randn(few, 128) * torch.linspace(0.1, 2, 128)).relu(), torch.randn(1500, 128).relu()
    a, b = measured(x), measured(y)
    assert frechet_distance(a, b) == pytest.approx(torch_fidelity(x, y), rel=tolerance)
    arrays = [array.numpy() for side in (a, b) for array in (side.mean, side.covariance)]
    if few > 128:
        assert frechet_distance(a, b) == pytest.approx(calculate_frechet_distance(*arrays), rel=tolerance)


def test_the_root_of_a_reference_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    b = measured(double(300, 40))
    taken = []
    original: Callable[..., object] = torch.linalg.cholesky_ex
    monkeypatch.setattr(torch.linalg, "cholesky_ex", lambda s: taken.append(1) or original(s))
    for _ in range(3):
        frechet_distance(measured(double(300, 40)), b)
    assert len(taken) == 1


def test_widths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="of 3 and of 4 features"):
        frechet_distance(measured(double(9, 3)), measured(double(9, 4)))


# Files


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    saved = measured(double(300, 20))
    provenance = {"extractor": "none", "n": 300, "sizes": [1, 2]}
    for name in ("a.npz", "b.npz"):
        saved.save(tmp_path / name, provenance)
    loaded = Statistics.load(tmp_path / "a.npz")
    assert torch.equal(loaded.mean, saved.mean)
    assert torch.equal(loaded.covariance, saved.covariance)
    assert (loaded.count, loaded.provenance) == (300, provenance)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2, "nothing unfinished stays"


def test_a_saved_reference_of_few_samples_keeps_its_rank(tmp_path: Path) -> None:
    few, real = measured(double(20, 60)), measured(double(500, 60))
    few.save(tmp_path / "few.npz")
    loaded = Statistics.load(tmp_path / "few.npz")
    assert len(loaded.root.factor) == 19
    assert frechet_distance(real, loaded) == pytest.approx(frechet_distance(real, few), rel=1e-11)


def test_pytorch_fids_files_are_read(tmp_path: Path) -> None:
    mean, covariance = double(5), some_covariance(5, 30)
    np.savez_compressed(tmp_path / "old.npz", mu=mean.numpy(), sigma=covariance.numpy())
    loaded = Statistics.load(tmp_path / "old.npz")
    torch.testing.assert_close(loaded.covariance, covariance)
    assert (loaded.count, dict(loaded.provenance)) == (0, {})
