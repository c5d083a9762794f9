"""Features are those of the reference implementations on the same weights and images."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pytorch_fid import inception as pytorch_fid
from torch import Tensor, nn

from metrics.extractors.inception import FILE, Inception

Blobs = Callable[..., Tensor]


def close(found: Tensor | None, expected: Tensor) -> None:
    assert found is not None
    assert expected.std() > 0.1, "the weights are alive"
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize(("side", "channels"), [(32, 3), (32, 1), (64, 3), (299, 3), (320, 1)])
def test_features_and_logits_are_torch_fidelitys(
    side: int, channels: int, weights: Path, torch_fidelity: nn.Module, blobs: Blobs
) -> None:
    images = blobs(2, channels, side)
    vectors, logits = torch_fidelity(images.expand(-1, 3, -1, -1))
    found = Inception(weights)(images)
    close(found.vectors, vectors)
    close(found.logits, logits)


@pytest.mark.parametrize("side", [32, 320])
def test_features_are_pytorch_fids_under_its_rule(
    side: int, weights: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytorch_fid, "load_state_dict_from_url", lambda *a, **o: torch.load(weights))
    network = pytorch_fid.InceptionV3([3]).eval()
    images = blobs(2, 3, side)
    with torch.no_grad():
        expected = network(images / 255)[0].flatten(1)
    found = Inception(weights, "pytorch-fid")(images).vectors
    close(found, expected)
    other = Inception(weights)(images).vectors
    assert (other - expected).abs().max() > 1e-3 * expected.abs().max(), "the rule makes a difference"


def test_an_image_is_judged_alone(weights: Path, blobs: Blobs) -> None:
    network, images = Inception(weights), blobs(18, 3, 16)
    whole = network(images).vectors
    parts = torch.cat([network(part).vectors for part in torch.split(images, [1, 5, 12])])
    assert (whole - parts).abs().max() < 1e-5 * whole.abs().max()


def test_transparency_is_laid_on_white(weights: Path, blobs: Blobs) -> None:
    images = blobs(1, 4, 16)
    images[:, 3] = 0
    network = Inception(weights)
    assert torch.equal(network(images).vectors, network(torch.full((1, 3, 16, 16), 255)).vectors)


def test_missing_weights_say_where_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not Inception.is_at_hand(None)
    with pytest.raises(ValueError, match=rf"{FILE}.*--weights FILE.*random-vgg works without") as error:
        Inception()
    assert "\n" not in str(error.value)


def test_weights_in_torchs_cache_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path, blobs: Blobs
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / FILE
    place.parent.mkdir(parents=True)
    place.symlink_to(weights)
    assert Inception.is_at_hand(None)
    assert Inception().weights_hash == Inception(weights).weights_hash


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a file of tensors"),
        (b"no weights at all", "not a file of tensors"),
        ({"a": torch.zeros(2)}, "does not hold the weights of inception"),
        ({"Conv2d_1a_3x3.conv.weight": torch.zeros(2)}, "does not hold the weights of inception"),
        ({"a": [1]}, "not a file of tensors"),
    ],
)
def test_other_files_are_named(content: object, message: str, tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(ValueError, match=message) as error:
        Inception(file)
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_weights_of_another_shape_are_named(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights)
    state["Mixed_7c.branch1x1.conv.weight"] = torch.zeros(320, 7, 1, 1)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not hold the weights of inception"):
        Inception(tmp_path / "other.pth")


def test_unknown_rules_are_refused(weights: Path) -> None:
    with pytest.raises(ValueError, match="unknown resize rule 'lanczos'; there are: tf1, pytorch-fid, clean"):
        Inception(weights, "lanczos")
