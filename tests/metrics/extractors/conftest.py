"""Inception weights that were never trained, but whose features are alive."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


@pytest.fixture(scope="session")
def blobs() -> Callable[..., Tensor]:
    return pictures


@pytest.fixture(scope="session")
def torch_fidelity(weights: Path) -> nn.Module:
    """The reference network on the same weights: uint8 images → features and logits."""
    layers = ["2048", "logits_unbiased"]
    return FeatureExtractorInceptionV3("x", layers, feature_extractor_weights_path=str(weights))


def pictures(count: int, channels: int, side: int, seed: int = 0) -> Tensor:
    """Uint8 blobs with noise: neither flat nor white."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, 4, 4, generator=random)
    smooth = nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    noise = torch.rand(count, channels, side, side, generator=random)
    return ((0.8 * smooth + 0.2 * noise) * 255).to(torch.uint8)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file in the published layout. Random kernels with batch norms that were never calibrated would give
    0 for everything, so each norm takes the statistics of what comes in."""
    file = tmp_path_factory.mktemp("weights") / "inception.pth"
    network = _empty_network()
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            module.weight.data = torch.randn(module.weight.shape, generator=random) * (2 / fan_in) ** 0.5
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data = torch.rand(module.weight.shape, generator=random) + 0.5
            module.bias.data = torch.randn(module.bias.shape, generator=random) * 0.1
            module.register_forward_pre_hook(_calibrate)
    with torch.no_grad():
        network(pictures(4, 3, 299))
    torch.save(network.state_dict(), file)
    yield file


def _calibrate(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.copy_(inputs[0].mean(dim=(0, 2, 3)))
    norm.running_var.copy_(inputs[0].var(dim=(0, 2, 3)) + 1e-2)


def _empty_network() -> nn.Module:
    with pytest.MonkeyPatch.context() as patch:
        # The constructor would read the weights that are to be made here.
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda *arguments, **options: {})
        network: nn.Module = FeatureExtractorInceptionV3(
            "x", ["2048", "logits_unbiased"], feature_extractor_weights_path=__file__
        )
    return network.eval().requires_grad_(False)
