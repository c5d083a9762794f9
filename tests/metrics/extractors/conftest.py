"""The reference network on random weights, and pictures for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from metrics.extractors.classifier import ClassifierNetwork, classifier_bytes


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def torch_fidelity_network(weights: Path) -> nn.Module:
    """The reference implementation on the same file; returns features and unbiased logits."""
    return torch_fidelity_inception(weights)


@pytest.fixture(scope="session")
def classifier_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of three classes that was never trained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ClassifierNetwork(3)
    file = tmp_path_factory.mktemp("classifier") / "some.safetensors"
    description = {"name": "some", "classes": ["a", "b", "c"], "accuracy": 0.5}
    file.write_bytes(classifier_bytes(network, description))
    return file


def torch_fidelity_inception(path: Path) -> nn.Module:
    features = ["2048", "logits_unbiased"]
    return FeatureExtractorInceptionV3("reference", features, feature_extractor_weights_path=str(path))


@pytest.fixture(name="pictures")
def _pictures() -> object:
    return pictures


def pictures(count: int, size: int, channels: int = 3) -> Tensor:
    """Uint8 `(count, channels, size, size)`: smooth patches with some noise."""
    draw = torch.Generator().manual_seed(size)
    patches = interpolate(torch.rand(count, channels, 4, 4, generator=draw), size=size, mode="bilinear")
    return (220 * patches + 35 * torch.rand(patches.shape, generator=draw)).byte()
