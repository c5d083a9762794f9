"""Scales: where numbers stand, which ticks there are, and that no number breaks them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.page.scale import Scale, scale_of, short_number

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_positions() -> None:
    assert [Scale(2.0, 6.0).share(value) for value in (2.0, 3.0, 6.0)] == [0.0, 0.25, 1.0]
    log = Scale(1.0, 10_000.0, is_log=True)
    assert [log.percent(value) for value in (1.0, 10.0, 10_000.0)] == [0.0, 25.0, 100.0]


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0.0, 10.0), [0, 2, 4, 6, 8, 10]),
        (Scale(-0.31, 0.42), [-0.2, 0, 0.2, 0.4]),
        (Scale(5.9, 9.4), [6, 7, 8, 9]),
        (Scale(1.0, 100_000.0, is_log=True), [1, 10, 100, 1000, 10_000, 100_000]),
        (Scale(3.0, 300.0, is_log=True), [5, 10, 20, 50, 100, 200]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(scale: Scale, ticks: list[float]) -> None:
    assert scale.ticks() == pytest.approx(ticks, abs=1e-12)


def test_positive_numbers_of_several_decades_are_on_a_log_scale() -> None:
    assert scale_of([5.0, 400.0], may_be_log=True).is_log
    assert not scale_of([5.0, 400.0], may_be_log=False).is_log
    assert not scale_of([-5.0, 400.0], may_be_log=True).is_log
    assert not scale_of([5.0, 40.0], may_be_log=True).is_log


@pytest.mark.parametrize(
    ("values", "bounds", "ends"),
    [
        ([0.0, 0.0], (0.0, 8.0), (0.0, 8.0)),
        ([3.0, 7.9], (0.0, 8.0), (2.804, 8.0)),
        ([0.0, 0.0], (0.0, math.inf), (0.0, 1.0)),
        ([0.0, 0.0], (-math.inf, math.inf), (-1.0, 1.0)),
        ([9.0, 9.0], (0.0, 8.0), (8.1, 9.9)),  # of a record that is wrong
        ([0.001, 1.0], (0.0, 1.0), (0.001 / 1000**0.04, 1.0)),
    ],
)
def test_a_scale_ends_where_values_do(values, bounds, ends) -> None:
    scale = scale_of(values, True, bounds)
    assert (scale.low, scale.high) == pytest.approx(ends)


@given(st.lists(FINITE, max_size=5), st.booleans())
def test_every_number_has_a_place(values: list[float], may_be_log: bool) -> None:
    scale = scale_of(values, may_be_log)
    shares = [scale.share(value) for value in values]
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in shares)
    assert shares == sorted(shares) if values == sorted(values) else True
    ticks = scale.ticks()
    assert len(ticks) <= 7 and all(math.isfinite(tick) and len(short_number(tick)) < 12 for tick in ticks)
