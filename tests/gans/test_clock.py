"""Learning rates are pure functions of the clock."""

import pytest

from experiments.core import registry
from gans.core.clock import CONSTANT, Clock, RateSchedule, ScaledSchedule, ScheduledRate
from losses.core.schedule import ScheduledValue, linear
from losses.schedules.cosine import Cosine


@pytest.mark.parametrize(("progress", "share"), [(0.0, 1.0), (0.5, 1.0), (0.6, 0.8), (0.75, 0.5), (1.0, 0.0)])
def test_linear_decay_over_the_second_half(progress: float, share: float) -> None:
    """CycleGAN's schedule."""
    assert RateSchedule(linear, decay_from=0.5)(Clock(0, 0, progress)) == pytest.approx(share, abs=1e-15)


@pytest.mark.parametrize(("seen", "share"), [(0, 0.0), (250, 0.25), (1000, 1.0), (5000, 1.0)])
def test_warm_up_counts_images(seen: int, share: float) -> None:
    assert RateSchedule(warmup_images=1000)(Clock(seen, 0, 0.0)) == share


def test_warm_up_and_decay_multiply() -> None:
    schedule = RateSchedule(linear, warmup_images=1000)
    assert schedule(Clock(500, 0, 0.2)) == pytest.approx(0.5 * 0.8)


def test_a_clock_begins_at_zero_and_a_player_at_a_constant_rate() -> None:
    assert Clock() == (0, 0, 0.0)
    assert (CONSTANT.factor(Clock()), CONSTANT.factor(Clock(10**6, 10**4, 0.999)), CONSTANT.beta2) == (
        1,
        1,
        None,
    )


def test_a_rate_is_constant_unless_asked() -> None:
    assert {RateSchedule()(Clock(seen, 0, seen / 10)) for seen in range(10)} == {1.0}


@pytest.mark.parametrize("name", registry.names("schedule"))
def test_a_rate_falls_by_any_schedule_over_what_is_left(name: str) -> None:
    """From 60 % on: at 80 % of the run, half of the fall is over."""
    shape = registry.load("schedule", name)()
    schedule = RateSchedule(shape, decay_from=0.6)
    assert schedule(Clock(0, 0, 0.3)) == 1.0
    assert schedule(Clock(0, 0, 0.8)) == pytest.approx(shape(0.5), abs=1e-12)


def test_a_schedule_of_a_rate_is_a_multiple_of_the_full_rate() -> None:
    """From 4e-4 to 1e-4 along a cosine, of an optimizer with 2e-4: 2, 1.25 and 0.5 times as much."""
    factor = ScheduledRate(ScheduledValue(4e-4, 1e-4, Cosine()), full_rate=2e-4)
    found = [factor(Clock(0, 0, progress)) for progress in (0.0, 0.5, 1.0)]
    assert found == pytest.approx([2.0, 1.25, 0.5], rel=1e-12)


def test_a_scaled_schedule_is_a_share_of_its_height() -> None:
    schedule = ScaledSchedule(RateSchedule(linear), 0.25)
    assert [schedule(Clock(0, 0, progress)) for progress in (0.0, 0.5)] == [0.25, 0.125]
