"""Random fields: a function of the index at every size, with the covariance that is known."""

import pytest
import torch

from experiments.core.errors import UsageError
from experiments.data import fields
from experiments.data.core.dataset import DataAccess
from experiments.data.core.random_fields import CHANNELS, covariance, draw_fields
from experiments.data.core.sources import open_source


def test_a_field_is_a_function_of_its_index_to_the_bit() -> None:
    many = draw_fields(torch.tensor([5, 900, 3, 9999]), (16, 20))
    for place, index in enumerate((5, 900, 3, 9999)):
        assert torch.equal(draw_fields(torch.tensor([index]), (16, 20))[0], many[place])
    assert not torch.equal(many[0], many[1])


def test_coarse_waves_are_the_same_at_every_size() -> None:
    small, large = (
        torch.fft.rfft2(draw_fields(torch.arange(3), (side, side)).double(), norm="forward")
        for side in (16, 48)
    )
    torch.testing.assert_close(large[..., :8, :8], small[..., :8, :8], atol=1e-5, rtol=0)


def test_the_set_has_five_channels_units_and_held_out_fields() -> None:
    source = open_source("fields", DataAccess(options={"data.range": "-3,5"}))
    data, held_out = source.open((8, 8), None, "auto"), source.open_held_out((8, 8), 5, "auto")
    assert len(data) == fields.LENGTH and data.sample_shape == (CHANNELS, 8, 8)
    assert data.units is not None and data.units[:2] == (-3, 5)
    assert torch.equal(held_out.fetch(torch.tensor([0])), draw_fields(torch.tensor([fields.LENGTH]), (8, 8)))


def test_the_variance_of_a_channel_is_one_on_large_squares() -> None:
    torch.testing.assert_close(
        covariance((129, 129)).diagonal(), torch.ones(CHANNELS, dtype=torch.float64), atol=1e-9, rtol=0
    )


@pytest.mark.parametrize("size, channels", [(None, None), ((8, 8), 3), ((8, 2048), None)])
def test_what_cannot_be_drawn_is_refused(size: tuple[int, int] | None, channels: int | None) -> None:
    with pytest.raises(ValueError, match="data 'fields'"):
        open_source("fields").open(size, channels, "auto")


@pytest.mark.parametrize("value", ["auto", "p1,p99", "3,3", "", "a,b"])
def test_a_range_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"--set data\.range"):
        open_source("fields", DataAccess(options={"data.range": value}))
