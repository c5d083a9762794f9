"""Units of pictures beyond 8 bits: a linear map and its inverse, rounded where values are whole numbers."""

import json

import pytest
import torch

from experiments.core.units import PixelUnits, units_from, units_of

TWELVE_BITS = PixelUnits(0, 4095, "uint16")


def test_the_ends_of_the_range_are_minus_one_and_one_and_what_lies_outside_is_cut() -> None:
    values = torch.tensor([0, 4095, 5000, 1], dtype=torch.uint16)
    expected = torch.tensor([-1, 1, 1, 2 / 4095 - 1], dtype=torch.float64)
    torch.testing.assert_close(TWELVE_BITS.to_networks(values, torch.float64), expected, atol=0, rtol=1e-15)


def test_every_value_of_16_bits_comes_back_to_the_bit() -> None:
    units = PixelUnits(0, 65535, "uint16")
    values = torch.arange(65536).to(torch.uint16)
    back = units.to_depth(units.to_networks(values))
    assert back.dtype == torch.uint16 and torch.equal(back.int(), values.int())


def test_floating_point_values_are_not_rounded_and_samples_may_leave_the_range() -> None:
    units = PixelUnits(-2.5, 7.5, "float32")
    images = torch.tensor([-1.0, 0.0, 0.1234567, 1.2])
    torch.testing.assert_close(units.to_depth(images), torch.tensor([-2.5, 2.5, 3.1172835, 7.5]))
    torch.testing.assert_close(units.from_networks(images), torch.tensor([-2.5, 2.5, 3.1172835, 8.5]))


def test_options_and_files_give_units_back() -> None:
    assert units_of(TWELVE_BITS.options) == TWELVE_BITS
    assert units_of({"data.range": (0, 65535), "data.depth": "uint8"}) is None
    assert units_of({}) is None
    assert units_from(list(TWELVE_BITS)) == TWELVE_BITS
    assert units_from(None) is None


def test_a_range_for_each_channel() -> None:
    """−1 and 1 are the ends of each; on the way back each has its own units."""
    units = PixelUnits.from_range((0, 10, -40, 40, 1000, 1001), "float32")
    assert units == ((0, -40, 1000), (10, 40, 1001), "float32")
    values = torch.tensor([[0.0, 10, 5], [-40, 20, 99], [1000.5, 1000, 1001]]).view(1, 3, 1, 3)
    expected = torch.tensor([[-1.0, 1, 0], [-1, 0.5, 1], [0, -1, 1]], dtype=torch.float64).view(1, 3, 1, 3)
    for found in (units.to_networks(values, torch.float64), units.to_networks(values).double()):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert units.to_networks(values).dtype == torch.float32 and units.to_networks(values[0]).dim() == 3
    back = values.clone()
    back[0, 1, 0, 2] = 40
    assert torch.equal(units.to_depth(expected), back) and torch.equal(units.from_networks(expected), back)


def test_a_range_for_each_channel_is_kept_in_options_and_files() -> None:
    units = PixelUnits.from_range((0, 10, -40, 40), "uint16")
    assert units.range == units.options["data.range"] == (0, 10, -40, 40)
    assert units_of(units.options) == units
    assert units_from(json.loads(json.dumps(list(units)))) == units
    assert units_from([0, 1, "uint16"]) == (0, 1, "uint16")


@pytest.mark.parametrize(
    "words",
    [
        [[], [], "uint16"],
        [[0, 2], [1, 1], "uint16"],
        [[0], [1, 2], "uint16"],
        [],
        [0, 1],
        [1, 0, "uint16"],
        [0, 1, "int7"],
        [0, float("nan"), "uint16"],
        "a",
    ],
)
def test_units_that_are_none_are_refused(words: object) -> None:
    with pytest.raises(ValueError, match=r"no units|no range"):
        units_from(words)
