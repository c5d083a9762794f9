"""Random features are the same everywhere, and see what differs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from metrics.extractors.random_vgg import RandomVgg

Blobs = Callable[..., Tensor]


def test_weights_are_those_of_the_seed_whatever_was_drawn_before() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = RandomVgg().weights_hash
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(5)
    assert RandomVgg().weights_hash == first
    assert first.startswith("1d446c52abaf")


@pytest.mark.parametrize(("side", "channels"), [(8, 3), (32, 1), (32, 4), (50, 3)])
def test_any_size_and_kind(side: int, channels: int, blobs: Blobs) -> None:
    features = RandomVgg()(blobs(3, channels, side))
    assert features.vectors.shape == (3, 64)
    assert features.vectors.isfinite().all() and features.logits is None
    assert features.vectors.std(dim=0).min() > 0, "no feature is dead"


def test_an_image_is_judged_alone(blobs: Blobs) -> None:
    network, images = RandomVgg(), blobs(9, 3, 32)
    whole = network(images).vectors
    parts = torch.cat([network(part).vectors for part in torch.split(images, [1, 3, 5])])
    assert (whole - parts).abs().max() < 1e-5 * whole.abs().max()


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no weights to read"):
        RandomVgg(Path("x.pth"))
    with pytest.raises(ValueError, match="does not know the resize rule tf1"):
        RandomVgg(None, "tf1")
