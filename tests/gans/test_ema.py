"""The generator's average against closed forms."""

import pytest
import torch
from torch import nn

from gans.core.ema import EmaOptions, ExponentialMovingAverage
from losses.core.schedule import ScheduledValue
from losses.schedules.linear import Linear


def network(value: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(layer.weight, value)
    return layer


def test_after_a_half_life_half_is_left() -> None:
    live = network(0.0)
    ema = ExponentialMovingAverage(live, half_life_kimg=1.0, options=EmaOptions(ramp_up=None))
    nn.init.constant_(live.weight, 8.0)
    for seen in range(100, 2001, 100):
        ema.follow(seen, images=100)
        if seen == 1000:
            assert ema.average.weight.item() == pytest.approx(4.0, rel=1e-12)  # type: ignore[union-attr]
    assert ema.average.weight.item() == pytest.approx(6.0, rel=1e-12)  # type: ignore[union-attr]


def test_ramp_up_forgets_the_random_start() -> None:
    """A run of 2,000 images with a half-life of 10,000 would keep 87 % of its random start."""
    live = network(1000.0)
    ema = ExponentialMovingAverage(live, half_life_kimg=10.0)
    nn.init.constant_(live.weight, 1.0)
    for seen in range(20, 2001, 20):
        ema.follow(seen, images=20)
    assert ema.average.weight.item() == pytest.approx(1.0, abs=1e-3)  # type: ignore[union-attr]


def test_ramp_up_is_a_share_of_the_images_shown_before() -> None:
    live = network(0.0)
    ema = ExponentialMovingAverage(live, half_life_kimg=10.0, options=EmaOptions(ramp_up=0.05))
    nn.init.constant_(live.weight, 1.0)
    ema.follow(seen=4200, images=200)  # half-life 5 % of 4,000 images = 200 images
    assert ema.average.weight.item() == pytest.approx(0.5, rel=1e-12)  # type: ignore[union-attr]


def test_without_a_half_life_the_average_is_the_live_network() -> None:
    live = network(0.0)
    ema = ExponentialMovingAverage(live, half_life_kimg=0.0)
    nn.init.constant_(live.weight, 3.0)
    ema.follow(seen=100, images=10)
    assert ema.average.weight.item() == 3.0  # type: ignore[union-attr]


def test_buffers_are_those_of_the_live_network() -> None:
    """[12] Batch-norm statistics left at their first copy belong to no network."""
    live = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    ema = ExponentialMovingAverage(live, half_life_kimg=100.0)
    for seen in range(8, 81, 8):
        live(torch.randn(8, 2) + 4)
        ema.follow(seen, images=8)
    for average, current in zip(ema.average.buffers(), live.buffers(), strict=True):
        assert torch.equal(average, current)
    assert ema.average[1].num_batches_tracked == 10  # type: ignore[index]


def test_the_average_neither_trains_nor_asks_for_gradients() -> None:
    live = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    ema = ExponentialMovingAverage(live, half_life_kimg=1.0)
    assert not any(p.requires_grad for p in ema.average.parameters())
    assert not any(module.training for module in ema.average.modules())


def test_without_a_ramp_up_the_half_life_holds_from_the_start() -> None:
    live = network(0.0)
    ema = ExponentialMovingAverage(live, half_life_kimg=1.0, options=EmaOptions(ramp_up=None))
    nn.init.constant_(live.weight, 8.0)
    ema.follow(seen=1000, images=1000)  # a ramp-up of 5 % would leave a half-life of 50 images
    assert ema.average.weight.item() == pytest.approx(4.0, rel=1e-12)  # type: ignore[union-attr]


def test_a_half_life_may_follow_a_schedule() -> None:
    """From 1 to 3 thousand images: half is left after 1,000 at the start, 2,000 halfway and 3,000 at the end,
    and of 8 so much is gone."""
    scheduled = ScheduledValue(1.0, 3.0, Linear())
    for progress, images in ((0.0, 1000), (0.5, 2000), (1.0, 3000)):
        live = network(0.0)
        ema = ExponentialMovingAverage(live, scheduled, EmaOptions(ramp_up=None))
        nn.init.constant_(live.weight, 8.0)
        ema.follow(100_000, images, progress)
        assert ema.average.weight.item() == pytest.approx(4.0, rel=1e-12)  # type: ignore[union-attr]
    live = network(0.0)
    ema = ExponentialMovingAverage(live, scheduled, EmaOptions(ramp_up=None))
    nn.init.constant_(live.weight, 8.0)
    ema.follow(100_000, 1000)  # at the start, unless told
    assert ema.average.weight.item() == pytest.approx(4.0, rel=1e-12)  # type: ignore[union-attr]
    live = network(0.0)
    ema = ExponentialMovingAverage(live, scheduled, EmaOptions(ramp_up=0.05))
    nn.init.constant_(live.weight, 8.0)
    ema.follow(seen=4200, images=200, progress=0.5)  # the ramp-up's 200 images are fewer than 2,000
    assert ema.average.weight.item() == pytest.approx(4.0, rel=1e-12)  # type: ignore[union-attr]
