"""random-vgg: the same random features everywhere, and they see what they should."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from metrics.extractors.random_vgg import RandomVGG
from tests.shortcuts import undo_shortcuts

Pictures = Callable[..., Tensor]


@pytest.fixture(scope="module")
def extractor() -> RandomVGG:
    with pytest.MonkeyPatch.context() as patch:
        undo_shortcuts(patch.setattr)
        return RandomVGG()


def test_weights_are_the_same_on_every_machine(extractor: RandomVGG) -> None:
    """Whatever the global generators hold. Another hash means that older scores cannot be compared."""
    assert extractor.weights_hash.startswith("e047cc04")


def test_is_vgg16_with_64_outputs(extractor: RandomVGG) -> None:
    layers = list(extractor.network.modules())
    convolutions = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)]
    assert convolutions == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == [4096, 64]


@pytest.mark.long
def test_more_noise_is_further_away(extractor: RandomVGG, pictures: Pictures) -> None:
    images = pictures(16, 32).float()
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=draw)
    levels = [(images + level * noise).clamp(0, 255).byte() for level in (0, 10, 30, 90)]
    means = [extractor(level).vectors.mean(dim=0) for level in levels]
    distances = [(mean - means[0]).norm().item() for mean in means]
    assert distances == sorted(distances) and distances[1] > 0


def test_reads_no_file() -> None:
    assert RandomVGG.is_at_hand() and not RandomVGG.is_at_hand(Path("weights.pth"))
    with pytest.raises(ValueError, match="reads no weights file"):
        RandomVGG(Path("weights.pth"))
