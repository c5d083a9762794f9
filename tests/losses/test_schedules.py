"""Schedules and the values scheduled by them, against closed forms."""

import math

import pytest

from experiments.core import registry
from losses.core.schedule import Schedule, ScheduledValue, constant, cosine, linear, value_at
from losses.schedules.constant import Constant
from losses.schedules.cosine import Cosine
from losses.schedules.linear import Linear

NAMES = registry.names("schedule")


def schedule_of(name: str) -> Schedule:
    """The schedule of that name in the catalogue."""
    schedule: Schedule = registry.load("schedule", name)()
    return schedule


@pytest.mark.parametrize("name", NAMES)
def test_what_fades_begins_whole(name: str) -> None:
    schedule = schedule_of(name)
    assert schedule(0.0) == 1.0
    values = [schedule(p / 10) for p in range(11)]
    assert values == sorted(values, reverse=True), "nothing rises again"


@pytest.mark.parametrize(
    ("name", "half", "end"), [("constant", 1, 1), ("linear", 0.5, 0), ("cosine", 0.5, 0)]
)
def test_shapes(name: str, half: float, end: float) -> None:
    assert schedule_of(name)(0.5) == pytest.approx(half, abs=1e-15)
    assert schedule_of(name)(1.0) == pytest.approx(end, abs=1e-15)


def test_a_cosine_leaves_slowly_and_arrives_slowly() -> None:
    assert Cosine()(1 / 3) == pytest.approx((1 + math.cos(math.pi / 3)) / 2) == 0.75


def test_plug_ins_are_the_functions() -> None:
    for plug_in, function in ((Constant(), constant), (Linear(), linear), (Cosine(), cosine)):
        assert [plug_in(p / 8) for p in range(9)] == [function(p / 8) for p in range(9)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Constant(), [2.0, 2.0, 2.0, 2.0]),
        (Linear(), [2.0, 2.5, 3.0, 4.0]),
        (Cosine(), [2.0, 3 - math.sqrt(0.5), 3.0, 4.0]),
    ],
    ids=["constant", "linear", "cosine"],
)
def test_schedules_in_closed_form(schedule: Schedule, expected: list[float]) -> None:
    """From 2 to 4, at a quarter, half and all of the run: up as well as down."""
    progress = [0.0, 0.25, 0.5, 1.0]
    up, down = ScheduledValue(2.0, 4.0, schedule), ScheduledValue(-2.0, -4.0, schedule)
    assert [up.at(p) for p in progress] == pytest.approx(expected, rel=1e-15)
    assert [down.at(p) for p in progress] == pytest.approx([-each for each in expected], rel=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_a_scheduled_value_is_as_far_as_its_schedule_has_fallen(name: str) -> None:
    """`end + (begin − end) s(p)`, for every schedule in the catalogue."""
    schedule = schedule_of(name)
    scheduled = ScheduledValue(0.5, 8.0, schedule)
    assert scheduled.at(0.0) == 0.5
    for p in (0.1, 0.7, 1.0):
        assert scheduled.at(p) == pytest.approx(8.0 - 7.5 * schedule(p), rel=1e-14)


def test_a_number_stays_and_a_scheduled_value_moves() -> None:
    assert value_at(3.0, 0.0) == value_at(3.0, 0.5) == 3.0
    assert value_at(ScheduledValue(3.0, 1.0, Linear()), 0.5) == 2.0
