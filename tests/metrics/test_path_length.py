"""Perceptual path length: generators whose speed is known, and the authors' trimming."""

import math

import numpy as np
import pytest
import torch

from metrics.path_length import PathLength, PathLengthOptions, lerp, neighbours_on_path, slerp


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_a_straight_line_has_the_squared_speed_of_its_ends() -> None:
    """For G(w) = Aw on a line, each length is |A (w₁ − w₀)|²."""
    w0, w1 = torch.randn(2, 50, 6, dtype=torch.float64)
    a = torch.randn(9, 6, dtype=torch.float64)
    metric = PathLength(PathLengthOptions(trim=(0, 100)))
    for part in range(0, 50, 7):
        ends = slice(part, part + 7)
        steps = neighbours_on_path(w0[ends], w1[ends], torch.rand(len(w0[ends])).double(), spherical=False)
        metric.update(steps @ a.T)
    lengths = ((w1 - w0) @ a.T).square().sum(dim=1).numpy()
    expected = {"path_length": lengths.mean(), "standard_error": lengths.std(ddof=1) / 50**0.5}
    assert metric.compute() == pytest.approx(expected, rel=1e-8)


def test_both_ends_of_a_step_lie_epsilon_apart_in_the_direction_of_the_path() -> None:
    """At t and t + ε, the first nearer to z0; ε is 1e-4 unless it is given."""
    z0, z1 = torch.zeros(2, 3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.float64)
    t = torch.tensor([0.25, 0.5], dtype=torch.float64)
    begin, end = neighbours_on_path(z0, z1, t, spherical=False).unbind(dim=1)
    torch.testing.assert_close(begin, t[:, None].expand(2, 3))
    torch.testing.assert_close(end - begin, torch.full((2, 3), 1e-4, dtype=torch.float64))
    _, end = neighbours_on_path(z0, z1, t, epsilon=0.125, spherical=False).unbind(dim=1)
    torch.testing.assert_close(end, (t + 0.125)[:, None].expand(2, 3))
    on_circle = neighbours_on_path(torch.eye(2)[:1], torch.eye(2)[1:], t[:1].float(), epsilon=0.25)
    angles = math.pi / 2 * torch.tensor([[0.25], [0.5]])
    torch.testing.assert_close(on_circle[0], torch.cat([angles.cos(), angles.sin()], dim=1))


def test_nearly_parallel_latents_are_curved_until_rounding_decides() -> None:
    """At an angle of 1e-3 the sine still tells the points of a circle apart, and agrees with the line."""
    z0 = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for angle in (1e-3, 1e-9):
        z1 = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        middle = slerp(z0, z1, torch.tensor(0.5, dtype=torch.float64))
        expected = torch.tensor([[math.cos(angle / 2), math.sin(angle / 2)]], dtype=torch.float64)
        torch.testing.assert_close(middle, expected, rtol=1e-12, atol=1e-12)


def test_a_great_circle_has_the_squared_angle() -> None:
    """Orthogonal unit latents are π/2 apart at every t."""
    z0, z1 = torch.eye(4, dtype=torch.float64)[:2, None].expand(2, 20, 4)
    metric = PathLength(PathLengthOptions(trim=(0, 100)))
    metric.update(neighbours_on_path(z0, z1, torch.rand(20).double()))
    assert metric.compute()["path_length"] == pytest.approx((math.pi / 2) ** 2, rel=1e-7)


def test_slerp_keeps_the_norm_and_meets_both_ends() -> None:
    z0, z1 = torch.nn.functional.normalize(torch.randn(2, 30, 5, dtype=torch.float64), dim=-1)
    for t in (0.0, 0.3, 1.0):
        torch.testing.assert_close(slerp(z0, z1, torch.tensor(t)).norm(dim=1), torch.ones(30).double())
    torch.testing.assert_close(slerp(z0, z1, torch.tensor(0.0)), z0)
    torch.testing.assert_close(slerp(z0, z1, torch.tensor(1.0)), z1)
    third = slerp(z0, z1, torch.tensor(1 / 3))
    angles = [torch.cosine_similarity(z0, other).acos() for other in (third, z1)]
    torch.testing.assert_close(3 * angles[0], angles[1])


def test_slerp_of_parallel_latents_is_a_line() -> None:
    z = torch.randn(3, 5)
    assert torch.equal(slerp(z, z, torch.tensor(0.5)), lerp(z, z, torch.tensor(0.5)))


def test_trimming_is_the_authors() -> None:
    """numpy's percentiles, the lower neighbour below and the higher above, both kept."""
    lengths = torch.rand(250, dtype=torch.float64) ** 4
    metric = PathLength(PathLengthOptions(epsilon=0.1))
    pairs = torch.stack([torch.zeros(250).double(), 0.1 * lengths.sqrt()], dim=1)
    metric.update(pairs[..., None])
    low = np.percentile(lengths, 1, method="lower")
    high = np.percentile(lengths, 99, method="higher")
    kept = [value for value in lengths.tolist() if low <= value <= high]
    assert len(kept) == 246
    assert metric.compute()["path_length"] == pytest.approx(sum(kept) / 246, rel=1e-12)


def test_what_path_length_refuses() -> None:
    metric = PathLength()
    with pytest.raises(ValueError, match="path-length: no samples yet, needs at least 2"):
        metric.compute()
    for shape in ((4, 2), (4, 3), (4, 3, 2), (4, 1, 2), (4, 2, 3, 3)):
        with pytest.raises(ValueError, match="takes pairs"):
            metric.update(torch.zeros(shape))
    with pytest.raises(ValueError, match="1 of 2 rows are not finite"):
        metric.update(torch.tensor([[[0.0], [math.nan]], [[0.0], [1.0]]]))
    with pytest.raises(ValueError, match="needs ε > 0"):
        PathLength(PathLengthOptions(epsilon=0))
    for trim in ((99.0, 1.0), (1.0, 1.0), (-0.5, 50.0), (50.0, 100.5)):
        with pytest.raises(ValueError, match="0 ≤ low < high ≤ 100"):
            PathLength(PathLengthOptions(trim=trim))
