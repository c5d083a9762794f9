"""dinov2: a vision transformer that equals one of torch's own layers, and finds its weights."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, unfold

from metrics.extractors import dinov2
from metrics.extractors.core import network
from metrics.extractors.core.extractor import WeightsError
from metrics.extractors.dinov2 import FILE, HASH, LARGE, URL, DINOv2, TransformerPlan, resampled, shapes

EXACT = 1e-4
TINY = TransformerPlan(width=32, depth=3, heads=4, side=37)
Pictures = Callable[..., Tensor]
State = dict[str, Tensor]


class Tiny(DINOv2):
    """The same with fewer and narrower blocks: the published network fills a gigabyte."""

    plan = TINY
    feature_size = TINY.width


def drawn(plan: TransformerPlan) -> State:
    """Random weights in the published layout, with which every part of the network counts."""
    draw = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes(plan).items():
        noise = torch.randn(shape, generator=draw)
        if "norm" in name and name.endswith("weight"):
            state[name] = 1 + 0.3 * noise
        elif name.endswith("weight"):
            state[name] = noise * (2 / math.prod(shape[1:]) ** 0.5)  # enough for attention to choose
        else:
            state[name] = 0.5 * noise
    return state


@pytest.fixture(scope="module")
def state() -> State:
    return drawn(TINY)


@pytest.fixture
def file(state: State, tmp_path: Path) -> Path:
    torch.save(state, tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache of weights, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


def torch_s_block(state: State, number: int, plan: TransformerPlan) -> nn.Module:
    """torch's encoder layer in float64, which has no layer scale: it becomes a part of the projections."""
    own = {name: value.double() for name, value in state.items()}
    start = f"blocks.{number}."

    def scaled(projection: str, scale: str) -> tuple[Tensor, Tensor]:
        gamma = own[f"{start}{scale}.gamma"]
        weight, bias = (own[f"{start}{projection}.{part}"] for part in ("weight", "bias"))
        return gamma[:, None] * weight, gamma * bias

    attention, out = scaled("attn.proj", "ls1"), scaled("mlp.fc2", "ls2")
    layer = nn.TransformerEncoderLayer(
        plan.width, plan.heads, 4 * plan.width, 0.0, "gelu", 1e-6, True, norm_first=True, dtype=torch.float64
    )
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": own[f"{start}attn.qkv.weight"],
            "self_attn.in_proj_bias": own[f"{start}attn.qkv.bias"],
            "self_attn.out_proj.weight": attention[0],
            "self_attn.out_proj.bias": attention[1],
            "linear1.weight": own[f"{start}mlp.fc1.weight"],
            "linear1.bias": own[f"{start}mlp.fc1.bias"],
            "linear2.weight": out[0],
            "linear2.bias": out[1],
            **{
                f"{norm}.{part}": own[f"{start}{norm}.{part}"]
                for norm in ("norm1", "norm2")
                for part in ("weight", "bias")
            },
        }
    )
    return layer


def reference(state: State, images: Tensor, plan: TransformerPlan) -> Tensor:
    """Images of the network's size → features, from torch's own layers."""
    own = {name: value.double() for name, value in state.items()}
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).double().view(2, 3, 1, 1)
    pixels = (images.double() / 255 - mean) / deviation
    kernels = own["patch_embed.proj.weight"].flatten(1)
    patches = unfold(pixels, 14, stride=14).transpose(1, 2) @ kernels.T + own["patch_embed.proj.bias"]
    first = own["cls_token"].expand(len(images), -1, -1)
    tokens = torch.cat([first, patches], dim=1) + resampled(own["pos_embed"], 16)
    with torch.no_grad(), torch.random.fork_rng():
        for number in range(plan.depth):
            tokens = torch_s_block(state, number, plan)(tokens)
    return layer_norm(tokens[:, 0], (plan.width,), own["norm.weight"], own["norm.bias"], 1e-6)


def test_equals_torch_s_own_layers(
    file: Path, state: State, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "AT_ONCE", 2)
    images = pictures(2, 224)
    vectors = Tiny(file)(images).vectors
    expected = reference(state, images, TINY)
    assert (expected[0] - expected[1]).abs().mean() > 100 * EXACT, "the reference sees nothing"
    assert (vectors - expected).abs().max() < EXACT


def test_layout_is_the_published_one() -> None:
    layout = shapes(LARGE)
    assert len(layout) == 343 and sum(map(math.prod, layout.values())) == 304_368_640
    for name, shape in {
        "cls_token": (1, 1, 1024),
        "pos_embed": (1, 1370, 1024),
        "mask_token": (1, 1024),
        "patch_embed.proj.weight": (1024, 3, 14, 14),
        "blocks.0.norm1.weight": (1024,),
        "blocks.0.attn.qkv.weight": (3072, 1024),
        "blocks.0.attn.proj.bias": (1024,),
        "blocks.0.ls1.gamma": (1024,),
        "blocks.23.norm2.bias": (1024,),
        "blocks.23.mlp.fc1.weight": (4096, 1024),
        "blocks.23.mlp.fc2.weight": (1024, 4096),
        "blocks.23.ls2.gamma": (1024,),
        "norm.bias": (1024,),
    }.items():
        assert layout[name] == shape
    assert DINOv2.plan == LARGE and DINOv2.feature_size == LARGE.width
    assert LARGE.width / LARGE.heads == 64, "no tensor's shape tells the heads"


def test_what_every_extractor_promises(file: Path, pictures: Pictures) -> None:
    """Its weights are on few machines, so the tests of all extractors mostly pass it by."""
    before = torch.get_rng_state()
    extractor, images = Tiny(file), pictures(17, 16)
    whole, logits = extractor(images)
    assert torch.equal(before, torch.get_rng_state()), "draws from the global generator"
    assert whole.shape == (17, extractor.feature_size) and whole.dtype == torch.float32
    assert logits is None and not extractor.has_logits and not whole.requires_grad
    for part in (slice(0, 1), slice(13, 17)):
        alone = extractor(images[part]).vectors
        assert (alone - whole[part]).norm() <= 1e-6 * alone.norm()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(extractor(images).vectors, whole)
    assert extractor.description()["weights"] == extractor.weights_hash and len(extractor.weights_hash) == 64


# --- position embeddings -----------------------------------------------------------------------------


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' kernel with the slope −0.75 at 1, which is torch's and OpenCV's."""
    a, x = -0.75, np.abs(distance)
    near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


@pytest.mark.parametrize("side", [16, 8, 40])
def test_positions_are_sampled_where_the_authors_sample(side: int) -> None:
    """Their enlargement is (side + 0.1) / 37; side / 37 would give other values."""
    positions = torch.randn(1, 1 + 37 * 37, 5, generator=torch.Generator().manual_seed(0)).double()

    def sampled(enlargement: float) -> Tensor:
        centres = (np.arange(side) + 0.5) / enlargement - 0.5
        taps = np.floor(centres)[:, None] + np.arange(-1, 3)
        shares = np.zeros((side, 37))
        for row, (centre, four) in enumerate(zip(centres, taps, strict=True)):
            np.add.at(shares[row], four.clip(0, 36).astype(int), cubic(centre - four))
        grid = positions[0, 1:].reshape(37, 37, 5).numpy()
        return torch.from_numpy(np.einsum("ai,bj,ijd->abd", shares, shares, grid)).reshape(-1, 5)

    found = resampled(positions, side)
    assert torch.equal(found[:, 0], positions[:, 0]), "the class token has no place"
    assert (found[0, 1:] - sampled((side + 0.1) / 37)).abs().max() < 1e-9
    assert (found[0, 1:] - sampled(side / 37)).abs().max() > 1e-3


def test_positions_of_the_trained_size_are_left_alone(state: State) -> None:
    assert torch.equal(resampled(state["pos_embed"], 37), state["pos_embed"])


# --- weights -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("download", [False, True])
def test_without_weights_one_line_says_what_to_do(
    download: bool, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object, **__: object) -> None:
        raise AssertionError("it fetches nothing")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert not DINOv2.is_at_hand() and not DINOv2.is_at_hand(cache / FILE)
    with pytest.raises(WeightsError) as caught:
        DINOv2(download=download)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 600
    for part in ("dinov2:", FILE, URL, HASH, str(cache), "--weights", "random-vgg", "efflite0"):
        assert part in line


def test_weights_are_found_in_torch_s_cache(
    cache: Path, file: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / FILE).write_bytes(file.read_bytes())
    assert Tiny.is_at_hand()
    with pytest.raises(WeightsError, match=f"{FILE}: damaged: its SHA-256 does not start with {HASH}"):
        Tiny()
    monkeypatch.setattr(dinov2, "HASH", "")  # of the published file
    monkeypatch.setattr(network, "AT_ONCE", 1)
    images = pictures(1, 32)
    assert torch.equal(Tiny()(images).vectors, Tiny(file)(images).vectors)


CHANGES: dict[str, tuple[Callable[[State], object], str]] = {
    "missing": (lambda s: s.pop("blocks.2.ls1.gamma"), "1 of 49 .* missing, 0 unknown; blocks.2.ls1.gamma"),
    "registers": (lambda s: s.update(register_tokens=torch.zeros(1, 4, 32)), "register_tokens is unknown"),
    "deeper": (lambda s: s.update(drawn(TINY._replace(depth=4))), "14 unknown; blocks.3.attn.proj.bias"),
    "size": (lambda s: s.update(drawn(TINY._replace(side=16))), r"pos_embed has shape \(1, 257, 32\)"),
    "wider": (lambda s: s.update(drawn(TINY._replace(width=48))), r"shape \(1, 1, 48\), not \(1, 1, 32\)"),
    "nan": (lambda s: s.update(cls_token=torch.full((1, 1, 32), math.nan)), "cls_token holds numbers"),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_other_networks_weights(fault: str, state: State, tmp_path: Path) -> None:
    change, says = CHANGES[fault]
    changed = dict(state)
    change(changed)
    torch.save(changed, tmp_path / "changed.pth")
    with pytest.raises(WeightsError, match=f"not the weights of DINOv2 ViT-L/14.*{says}") as caught:
        Tiny(tmp_path / "changed.pth")
    assert "\n" not in str(caught.value)
