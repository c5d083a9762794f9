"""The reference network, and images for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


@pytest.fixture(scope="session")
def blobs() -> Callable[..., Tensor]:
    """Uint8 `(count, channels, side, side)`: blobs with noise, neither flat nor white."""

    def draw(count: int, channels: int, side: int) -> Tensor:
        random = torch.Generator().manual_seed(side)
        coarse = torch.rand(count, channels, 4, 4, generator=random)
        smooth = nn.functional.interpolate(coarse, (side, side), mode="bilinear")
        noise = torch.rand(count, channels, side, side, generator=random)
        return ((0.8 * smooth + 0.2 * noise) * 255).to(torch.uint8)

    return draw


@pytest.fixture(scope="session")
def torch_fidelity(weights: Path) -> nn.Module:
    """The reference network on the same weights: uint8 images → features and logits."""
    layers = ["2048", "logits_unbiased"]
    return FeatureExtractorInceptionV3("x", layers, feature_extractor_weights_path=str(weights))
