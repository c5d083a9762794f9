"""Defaults and bounds of the options of penalties, by value."""

import pytest

import losses
from tests.declared import check_records_are_frozen, declared


@pytest.mark.parametrize("name", ["dragan", "dragan-gaussian"])
def test_dragans_noise_is_half_a_standard_deviation(name: str) -> None:
    assert declared("penalty", name) == {"spread": (0.5, "(0, ∞)", "is_schedulable")}


def test_records_are_frozen() -> None:
    """Options and defaults are shared: whoever changed one would change all."""
    check_records_are_frozen(losses)
