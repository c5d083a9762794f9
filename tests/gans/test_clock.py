"""Learning rates are pure functions of the clock."""

import math

import pytest

from gans.core.clock import Clock, RateSchedule
from losses.schedules import SCHEDULES


@pytest.mark.parametrize("shape", SCHEDULES)
def test_what_fades_begins_whole(shape: str) -> None:
    assert SCHEDULES[shape](0.0) == 1.0
    values = [SCHEDULES[shape](p / 10) for p in range(11)]
    assert values == sorted(values, reverse=True), "nothing rises again"


@pytest.mark.parametrize(
    ("shape", "half", "end"), [("constant", 1, 1), ("linear", 0.5, 0), ("cosine", 0.5, 0)]
)
def test_shapes(shape: str, half: float, end: float) -> None:
    assert SCHEDULES[shape](0.5) == pytest.approx(half, abs=1e-15)
    assert SCHEDULES[shape](1.0) == pytest.approx(end, abs=1e-15)


def test_a_cosine_leaves_slowly_and_arrives_slowly() -> None:
    assert SCHEDULES["cosine"](1 / 3) == pytest.approx((1 + math.cos(math.pi / 3)) / 2) == 0.75


@pytest.mark.parametrize(("progress", "share"), [(0.0, 1.0), (0.5, 1.0), (0.6, 0.8), (0.75, 0.5), (1.0, 0.0)])
def test_linear_decay_over_the_second_half(progress: float, share: float) -> None:
    """CycleGAN's schedule."""
    assert RateSchedule("linear", decay_from=0.5)(Clock(0, 0, progress)) == pytest.approx(share, abs=1e-15)


@pytest.mark.parametrize(("seen", "share"), [(0, 0.0), (250, 0.25), (1000, 1.0), (5000, 1.0)])
def test_warm_up_counts_images(seen: int, share: float) -> None:
    assert RateSchedule(warmup_images=1000)(Clock(seen, 0, 0.0)) == share


def test_warm_up_and_decay_multiply() -> None:
    schedule = RateSchedule("linear", warmup_images=1000)
    assert schedule(Clock(500, 0, 0.2)) == pytest.approx(0.5 * 0.8)


def test_a_rate_is_constant_unless_asked() -> None:
    assert {RateSchedule()(Clock(seen, 0, seen / 10)) for seen in range(10)} == {1.0}
