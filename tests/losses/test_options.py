"""Defaults and bounds of the options of penalties, by value."""

import pytest

from tests.declared import declared


@pytest.mark.parametrize("name", ["dragan", "dragan-gaussian"])
def test_dragans_noise_is_half_a_standard_deviation(name: str) -> None:
    assert declared("penalty", name) == {"spread": (0.5, "(0, ∞)", "is_schedulable")}
