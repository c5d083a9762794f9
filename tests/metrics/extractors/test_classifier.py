"""The extractor behind `classifier:NAME`: its file, and that it sees what it was trained on."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from metrics.extractors.classifier import (
    METADATA_KEY,
    Classifier,
    ClassifierNetwork,
    classifier_bytes,
    network_input,
    read_classifier,
)
from metrics.extractors.core.extractor import WeightsError


def test_it_names_itself_after_its_data(classifier_file: Path) -> None:
    extractor = Classifier(classifier_file)
    assert (extractor.name, extractor.distance) == ("classifier:some", "fd-classifier:some")
    assert extractor.classes == ("a", "b", "c")
    assert extractor.remark == "its accuracy on held-out images is 50.0%"


def test_the_extractor_shows_what_training_showed(classifier_file: Path, pictures: Any) -> None:
    """One path from pixels to the network, grey or colour, whatever the size."""
    _, network, _ = read_classifier(classifier_file)
    extractor = Classifier(classifier_file)
    for images in (pictures(16, 28, 1), pictures(16, 32), pictures(16, 40, 4)):
        with torch.no_grad():
            expected = network.eval()(network_input(images))
        seen = extractor(images)
        assert seen.logits is not None
        assert torch.allclose(seen.vectors, expected.vectors, atol=1e-5)
        assert torch.allclose(seen.logits, expected.logits, atol=1e-5)


def test_what_goes_into_the_network_lies_in_minus_one_to_one() -> None:
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 20, 20)
    shown = network_input(ends)
    assert shown.shape == (2, 3, 32, 32)
    assert torch.allclose(shown[0], torch.full((3, 32, 32), -1.0), atol=1e-6)
    assert torch.allclose(shown[1], torch.full((3, 32, 32), 1.0), atol=1e-6)


def test_the_file_keeps_every_bit(tmp_path: Path) -> None:
    network = ClassifierNetwork(2)
    network(torch.randn(8, 3, 32, 32))  # batch norm learns something
    file = tmp_path / "x.safetensors"
    content = classifier_bytes(network, {"name": "x", "classes": ["a", "b"], "accuracy": 1.0})
    file.write_bytes(content)
    _, again, digest = read_classifier(file)
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert classifier_bytes(again, {"accuracy": 1.0, "classes": ["a", "b"], "name": "x"}) == content
    assert len(digest) == 64


def refuse(path: Path, *mentions: str) -> None:
    with pytest.raises(WeightsError) as error:
        Classifier(path)
    line = str(error.value)
    assert "\n" not in line and ("train-classifier" in line or "train it anew" in line)
    for mention in (str(path), *mentions):
        assert mention in line


def test_files_that_are_none(tmp_path: Path, classifier_file: Path) -> None:
    refuse(tmp_path / "missing.safetensors", "no such classifier")
    files = {name: tmp_path / f"{name}.safetensors" for name in ("text", "cut", "other", "wide", "bare")}
    files["text"].write_text("<html>")
    files["cut"].write_bytes(classifier_file.read_bytes()[:5000])
    save_file({"weight": torch.zeros(1)}, files["other"])
    tensors: dict[str, Tensor] = ClassifierNetwork(3).state_dict()
    save_file(tensors, files["wide"], {METADATA_KEY: '{"name": "x", "classes": ["a"], "accuracy": 1}'})
    save_file(tensors, files["bare"], {METADATA_KEY: '{"classes": ["a", "b", "c"]}'})
    for file in files.values():
        refuse(file, "damaged, or not a classifier")
    with pytest.raises(WeightsError, match=r"of which data.*train-classifier --data NAME"):
        Classifier()


def test_a_classifier_of_five_channels_sees_these_alone(tmp_path: Path) -> None:
    file = tmp_path / "five.safetensors"
    torch.manual_seed(0)
    network = ClassifierNetwork(2, channels=5)
    file.write_bytes(classifier_bytes(network, {"name": "five", "classes": ["a", "b"], "accuracy": 0.5}))
    extractor = Classifier(file)
    assert extractor.channels == (5,)
    images = 255 * torch.rand(3, 5, 16, 16)
    with torch.no_grad():
        expected = network.eval()(network_input(images))
    torch.testing.assert_close(extractor(images).vectors, expected.vectors, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match=r"reads images \(N, 5, H, W\)"):
        extractor(images[:, :3])
