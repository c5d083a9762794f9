"""Inception: the features of torch-fidelity and pytorch-fid, from the same weights."""

from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import pytorch_fid.inception
import torch
from torch import Tensor, nn

from metrics.extractors.core import network
from metrics.extractors.core.extractor import WeightsError
from metrics.extractors.core.inception_network import shapes
from metrics.extractors.inception import FILES, HASH, Inception

EXACT = 1e-4
Pictures = Callable[..., Tensor]


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "AT_ONCE", 2)  # the tests have few images


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache of weights, empty."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
@pytest.mark.parametrize("size", [32, 64, 299])
def test_equals_torch_fidelity(
    size: int,
    channels: int,
    weights: Path,
    torch_fidelity_network: nn.Module,
    pictures: Pictures,
) -> None:
    images = pictures(2, size, channels)
    vectors, logits = Inception(weights)(images)
    with torch.no_grad():
        expected = torch_fidelity_network(images.expand(-1, 3, -1, -1))
    assert (expected[0][0] - expected[0][1]).abs().mean() > 100 * EXACT, "the reference sees nothing"
    assert (vectors - expected[0]).abs().max() < EXACT
    assert logits is not None and (logits - expected[1]).abs().max() < EXACT


def test_equals_pytorch_fid_under_its_rule(
    weights: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = torch.load(weights, weights_only=True)
    monkeypatch.setattr(pytorch_fid.inception, "load_state_dict_from_url", lambda *_, **__: state)
    reference = pytorch_fid.inception.InceptionV3().eval()
    images = pictures(2, 32)
    with torch.no_grad():
        expected = reference(images / 255)[0].flatten(1)
    own = Inception(weights, resize_rule="pytorch-fid")(images).vectors
    assert (own - expected).abs().max() < EXACT
    other = Inception(weights)(images).vectors
    assert (other - expected).abs().max() > 10 * EXACT, "the rules make no difference"


def test_clean_rule_scales_as_the_original(
    weights: Path, torch_fidelity_network: nn.Module, pictures: Pictures
) -> None:
    """On images of the network's size no rule resizes, and clean's scaling is torch-fidelity's."""
    images = pictures(1, 299)
    with torch.no_grad():
        expected = torch_fidelity_network(images)[0]
    assert (Inception(weights, "clean")(images).vectors - expected).abs().max() < EXACT


def test_layout_is_the_published_one(torch_fidelity_network: nn.Module) -> None:
    published = {name: tuple(value.shape) for name, value in torch_fidelity_network.state_dict().items()}
    assert len(published) == 566
    assert shapes() == {n: s for n, s in published.items() if not n.endswith("num_batches_tracked")}


def test_without_weights_one_line_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: object, **__: object) -> None:
        raise AssertionError("nobody asked for a download")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert not Inception.is_at_hand()
    with pytest.raises(WeightsError) as caught:
        Inception()
    line = str(caught.value)
    assert "\n" not in line
    for part in (FILES[0], HASH, str(cache), "--download", "--weights", "random-vgg", "efflite0"):
        assert part in line


@pytest.mark.parametrize("name", FILES)
def test_weights_are_found_in_torch_s_cache(name: str, cache: Path) -> None:
    (cache / name).write_bytes(b"half a download")
    assert Inception.is_at_hand()
    with pytest.raises(WeightsError, match=rf"{name}: damaged: its SHA-256 does not start with {HASH}"):
        Inception()


def test_a_failed_download_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str, path: str, hash_prefix: str) -> None:
        assert url.endswith(FILES[0]) and path == str(cache / FILES[0]) and hash_prefix == HASH
        raise URLError("no\nnetwork")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError, match=r"cannot fetch https://.*no network") as caught:
        Inception(download=True)
    assert "\n" not in str(caught.value)


def changed(path: Path, folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, folder / "changed.pth")
    return folder / "changed.pth"


CHANGES: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "missing": (lambda s: s.pop("fc.weight"), "1 of 472 tensors are missing, 0 unknown; fc.weight"),
    "unknown": (lambda s: s.update(extra=torch.zeros(1)), "0 of 472 .* 1 unknown; extra is unknown"),
    "shape": (
        lambda s: s.update({"fc.bias": torch.zeros(1000)}),
        r"fc.bias has shape \(1000,\), not \(1008,\)",
    ),
    "nan": (lambda s: s["fc.weight"].fill_(float("nan")), "fc.weight holds numbers that are not finite"),
    "integers": (
        lambda s: s.update({"fc.bias": torch.zeros(1008).int()}),
        "fc.bias holds numbers that are not",
    ),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_other_networks_weights(fault: str, weights: Path, tmp_path: Path) -> None:
    change, says = CHANGES[fault]
    path = changed(weights, tmp_path, change)
    with pytest.raises(WeightsError, match=f"not the weights of Inception.*{says}") as caught:
        Inception(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_weights(weights: Path, tmp_path: Path) -> None:
    cut, text, hostile, listed = (tmp_path / name for name in ("cut", "text", "hostile", "listed"))
    cut.write_bytes(weights.read_bytes()[:100_000])
    text.write_text("<html>not found</html>")
    torch.save({"fc.weight": print}, hostile)
    torch.save([torch.zeros(1)], listed)
    for path, says in {
        tmp_path / "none": "no such weights file",
        tmp_path: "no such weights file",
        cut: "damaged",
        text: "damaged",
        hostile: "not a state dict of plain tensors",
        listed: "no dictionary of tensors",
    }.items():
        with pytest.raises(WeightsError, match=says) as caught:
            Inception(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
