"""Weights files that are not there, the scale of every network's input, and the classifier by hand."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d

from metrics.extractors.classifier import Classifier, ClassifierNetwork, Residual
from metrics.extractors.core.extractor import WeightsError
from metrics.extractors.core.network import AT_ONCE
from metrics.extractors.core.resize import RULES
from metrics.extractors.efflite0 import EfficientNetLite0
from metrics.extractors.inception import Inception
from tests.metrics.extractors.test_every_extractor import NAMES, kind

READERS = [stem for stem in NAMES if stem != "random_vgg"]  # which reads no file


@pytest.mark.parametrize("stem", READERS)
def test_a_file_that_is_not_there_is_not_at_hand_and_is_named(stem: str, tmp_path: Path) -> None:
    """Nor is a folder; a file that is there is at hand, whatever is in it."""
    missing, there = tmp_path / "missing.weights", tmp_path / "there.weights"
    there.write_bytes(b"something")
    assert not kind(stem).is_at_hand(missing)
    assert not kind(stem).is_at_hand(tmp_path)
    if stem == "efflite0" and not EfficientNetLite0.is_at_hand():
        pytest.skip("the extra features is not installed")
    assert kind(stem).is_at_hand(there)
    for path in (missing, tmp_path):
        with pytest.raises(WeightsError, match="there is no such") as caught:
            kind(stem)(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    error: OSError, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked.pth").write_bytes(b"something")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(WeightsError, match=f"cannot be read: {words}$") as caught:
        Inception(tmp_path / "locked.pth")
    assert "locked.pth" in str(caught.value)


def test_a_classifier_of_no_file_is_of_nothing() -> None:
    assert not Classifier.is_at_hand()


def scaled(stem: str, rule: str, value: float) -> list[float]:
    """A flat picture as the network sees it, by channel."""
    pixels = torch.full((1, 3, 2, 2), value)
    shown: Tensor = kind(stem).scale_of(kind(stem).__new__(kind(stem)), rule)(pixels)  # type: ignore[attr-defined]
    return shown[0, :, 0, 0].tolist()


IMAGENET = [
    [(level / 255 - m) / d for m, d in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))] for level in (0, 255)
]
CENTRED = {"classifier": (-1.0, 1.0), "efflite0": (-127 / 128, 1.0)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("stem", NAMES)
def test_black_and_white_are_what_the_network_was_trained_on(stem: str, rule: str) -> None:
    """ImageNet's mean and deviation, [−1, 1], or what the program does that a rule is named after."""
    inception = (-1.0, 1.0) if rule == "pytorch-fid" else (-1.0, 127 / 128)
    ends = {"inception": inception, **CENTRED}
    expected = [[end] * 3 for end in ends[stem]] if stem in ends else IMAGENET
    for level, channels in zip((0.0, 255.0), expected, strict=True):
        assert scaled(stem, rule, level) == pytest.approx(channels, abs=1e-6)


def test_numbers_that_published_scores_depend_on() -> None:
    assert (Inception.size, Inception.feature_size, Inception.default_rule) == (299, 2048, "tf1")
    assert (EfficientNetLite0.size, EfficientNetLite0.feature_size) == (224, 1280)
    assert (Classifier.size, Classifier.feature_size) == (32, 128)
    assert AT_ONCE == 16
    assert all(kind(stem).default_rule == "clean" for stem in NAMES if stem != "inception")  # type: ignore[attr-defined]


def normed(layer: torch.nn.Module, x: Tensor, stride: int) -> Tensor:
    """A 3×3 convolution without bias, and batch norm with its running statistics."""
    convolution, norm = layer  # type: ignore[misc]
    y = conv2d(x, convolution.weight, stride=stride, padding=1)
    return batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5)


def test_the_classifier_is_convolutions_residual_blocks_and_a_mean() -> None:
    """Three strided convolutions of 32, 64 and 128 channels, `ReLU(x + f(x))` behind the last two, the mean
    over the 4×4 pixels that are left, and a linear layer."""
    torch.manual_seed(0)
    network = ClassifierNetwork(5).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            (
                torch.nn.init.uniform_(module.running_mean, -1, 1),
                torch.nn.init.uniform_(module.running_var, 1, 2),
            )
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        vectors, logits = network(x)
        first, _, second, _, block, third, _, last = network.stages
        y = normed(first, x, 2).relu()
        for layer, residual in ((second, block), (third, last)):
            assert isinstance(residual, Residual)
            y = normed(layer, y, 2).relu()
            inner = normed(residual.change[0], y, 1).relu()
            y = (y + normed(residual.change[2], inner, 1)).relu()
        assert y.shape == (2, 128, 4, 4)
        torch.testing.assert_close(vectors, y.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits, vectors @ network.head.weight.T + network.head.bias)
    widths = [m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert widths == [32, 64, 64, 64, 128, 128, 128]
