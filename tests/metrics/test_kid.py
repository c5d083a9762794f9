"""Kernel distance: the definition, torch-fidelity's subsets, and what the sign means."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

from metrics import kid
from metrics.kid import KernelDistance, KernelDistanceOptions

WIDTH = 24


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def scores(
    generated: Tensor, real: Tensor, batch: int = 100, seed: int = 2020, **options: int
) -> dict[str, float]:
    metric = KernelDistance(real, KernelDistanceOptions(**options), seed)
    for part in generated.split(batch):
        metric.update(part)
    return metric.compute()


def theirs(generated: Tensor, real: Tensor, subsets: int, size: int, seed: int = 2020) -> tuple[float, float]:
    found = kid_features_to_metric(
        generated, real, kid_subsets=subsets, kid_subset_size=size, rng_seed=seed, verbose=False
    )
    return found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]


@pytest.mark.parametrize(("subsets", "size", "grams"), [(40, 90, 1), (3, 20, 3), (2, 300, 1)])
def test_agrees_with_torch_fidelity(
    subsets: int, size: int, grams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one Gram matrix in tiles, and (3 subsets of 20) by one for each subset; sides of unequal size."""
    monkeypatch.setattr(kid, "TILE", 128)
    generated, real = torch.rand(300, WIDTH).double(), 1.1 * torch.rand(410, WIDTH).double()
    expected, deviation = theirs(generated, real, subsets, size)
    computed = []
    original = kid._mmd
    monkeypatch.setattr(kid, "_mmd", lambda x, *rest: computed.append(len(x)) or original(x, *rest))
    found = scores(generated, real, subsets=subsets, subset_size=size)
    assert len(computed) == grams
    assert found["kid"] == pytest.approx(expected, rel=1e-9)
    assert found["deviation"] == pytest.approx(deviation, rel=1e-9)
    error = deviation / (subsets - 1) ** 0.5  # ddof 1 and the root of the number
    assert found["standard_error"] == pytest.approx(error, rel=1e-9)
    expected, _ = theirs(generated, real, subsets, size, seed=7)
    assert scores(generated, real, subsets=subsets, subset_size=size, seed=7)["kid"] == pytest.approx(
        expected, rel=1e-9
    )


def test_float32_vectors_lose_little() -> None:
    generated, real = torch.rand(1500, 512), 1.05 * torch.rand(1500, 512)
    exact = scores(generated.double(), real.double(), subsets=20, subset_size=1000)
    found = scores(generated, real, subsets=20, subset_size=1000)
    assert found["kid"] == pytest.approx(exact["kid"], rel=1e-4)


def test_whole_sets_follow_the_definition() -> None:
    """Equation 4 written out, on subsets that are the whole sets."""
    x, y = torch.rand(30, WIDTH).double(), 1.2 * torch.rand(30, WIDTH).double()

    def kernel(a: Tensor, b: Tensor) -> np.ndarray:
        return (a @ b.T / WIDTH + 1).numpy() ** 3

    off_diagonal = ~np.eye(30, dtype=bool)
    within = kernel(x, x)[off_diagonal].mean() + kernel(y, y)[off_diagonal].mean()
    found = scores(x, y, subsets=2, subset_size=30)
    assert found["kid"] == pytest.approx(within - 2 * kernel(x, y).mean(), rel=1e-11)
    assert found.keys() == {"kid"}


@pytest.mark.parametrize(("subsets", "grams"), [(16, 16), (17, 1)])
def test_kernels_are_computed_the_way_that_takes_fewer(
    subsets: int, grams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 beside 100 vectors, 20,000 pairs serve all subsets (one within a side counts once); a subset of
    20 has 1,200 of its own."""
    computed = []
    original = kid._mmd
    monkeypatch.setattr(kid, "_mmd", lambda x, *rest: computed.append(len(x)) or original(x, *rest))
    scores(torch.rand(100, WIDTH), torch.rand(100, WIDTH), subsets=subsets, subset_size=20)
    assert len(computed) == grams


def test_the_least_subsets_are_two_of_two() -> None:
    """Of which equation 4 is one kernel on each side, less the mean of the four across."""
    x, y = torch.rand(2, 3).double(), torch.rand(2, 3).double()
    kernel = (torch.cat([x, y]) @ torch.cat([x, y]).T / 3 + 1) ** 3
    expected = kernel[0, 1] + kernel[2, 3] - kernel[:2, 2:].mean() * 2
    found = scores(x, y, subsets=2, subset_size=2)
    assert found["kid"] == pytest.approx(expected.item(), rel=1e-12)
    for options in ({"subsets": 1, "subset_size": 2}, {"subsets": 2, "subset_size": 1}):
        with pytest.raises(ValueError, match=r"kid: \d subsets of \d, needs at least 2 of 2"):
            KernelDistance(y, KernelDistanceOptions(**options))


def test_errors_are_left_out_where_there_is_one_subset_alone() -> None:
    """A spread of 0 over copies of one subset would say that the distance is exact."""
    x, y = torch.rand(30, WIDTH), torch.rand(31, WIDTH)
    for real, size in ((y, 30), (y[:30], 29)):  # one side is larger; both are
        found = scores(x, real, subsets=4, subset_size=size)
        assert found["standard_error"] > 0 and found["deviation"] > 0
    assert scores(x, y[:30], subsets=4, subset_size=30).keys() == {"kid"}


def test_remarks_name_subsets_that_say_nothing() -> None:
    """Only where both sides are one subset each; and other sizes than the usual."""
    for count, size, words in (
        (1000, 1000, ["whole set"]),
        (1001, 1000, []),
        (50, 50, ["of 50", "whole set"]),
    ):
        metric = KernelDistance(torch.zeros(count, 2), KernelDistanceOptions(subset_size=size))
        metric.update(torch.zeros(count, 2))
        assert len(metric.remarks) == len(words)
        assert all(word in remark for word, remark in zip(words, metric.remarks, strict=True))


def test_equal_distributions_are_zero_on_average_and_others_are_not() -> None:
    """Unbiased: within its error of 0 for halves of one set, though a biased one would be D-fold above."""
    real = torch.randn(2000, WIDTH)
    floor = scores(real[:1000], real[1000:], subsets=50, subset_size=100)
    assert abs(floor["kid"]) < 5 * floor["deviation"] / 5**0.5
    noisy = [
        scores(real[:1000] + shift, real[1000:], subsets=50, subset_size=100)["kid"] for shift in (0.2, 0.4)
    ]
    assert floor["kid"] < noisy[0] < noisy[1]


def test_batch_size_does_not_matter() -> None:
    generated, real = torch.rand(300, WIDTH), torch.rand(300, WIDTH)
    assert scores(generated, real, batch=1, subset_size=50) == scores(generated, real, 300, subset_size=50)


def test_too_few_samples_are_refused_with_the_remedy() -> None:
    with pytest.raises(
        ValueError,
        match=r"999 reference samples for subsets of 1,000; give it more, or .*: --set kid.subset_size=999$",
    ):
        KernelDistance(torch.zeros(999, WIDTH))
    with pytest.raises(ValueError, match=r": 1 reference samples for subsets of 1,000; give it more$"):
        KernelDistance(torch.zeros(1, WIDTH))
    metric = KernelDistance(torch.zeros(50, WIDTH), KernelDistanceOptions(subset_size=50))
    assert metric.remarks[0].startswith("subsets of 50, not of 1,000")
    with pytest.raises(ValueError, match="no samples yet"):
        metric.compute()
    metric.update(torch.zeros(49, WIDTH))
    with pytest.raises(
        ValueError, match=r"49 samples for subsets of 50; give it more, or .*: --set kid.subset_size=49$"
    ):
        metric.compute()
    with pytest.raises(ValueError, match="not finite"):
        metric.update(torch.full((1, WIDTH), torch.nan))
    with pytest.raises(ValueError, match="1 subsets of 1000"):
        KernelDistance(torch.zeros(50, WIDTH), KernelDistanceOptions(subsets=1))
