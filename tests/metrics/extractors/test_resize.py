"""The three resize rules give the pixels of the programs they are named after."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from metrics.extractors.core.resize import resized

EXACT = 2e-4  # of 255; float32 keeps 1.5e-5 of it
SHAPES = [(8, 8), (28, 28), (32, 32), (64, 48), (33, 299), (299, 299), (300, 320), (512, 700)]
Pictures = Callable[..., Tensor]


@pytest.fixture(params=SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def images(request: pytest.FixtureRequest) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, *request.param), dtype=torch.uint8, generator=draw)


@pytest.mark.parametrize("size", [224, 299])
def test_tf1(images: Tensor, size: int) -> None:
    expected = interpolate_bilinear_2d_like_tensorflow1x(images.float(), (size, size), align_corners=False)
    assert (resized(images, "tf1", size) - expected).abs().max() < EXACT


@pytest.mark.parametrize("size", [224, 299])
def test_pytorch_fid(images: Tensor, size: int) -> None:
    expected = interpolate(images.float(), (size, size), mode="bilinear", align_corners=False)
    assert (resized(images, "pytorch-fid", size) - expected).abs().max() < EXACT


@pytest.mark.parametrize("size", [224, 299])
def test_clean(images: Tensor, size: int) -> None:
    """clean-fid hands every channel to Pillow in float32 and clips, without rounding."""
    channels = [Image.fromarray(channel.numpy()) for channel in images.float().flatten(0, 1)]
    shrunk = [np.array(channel.resize((size, size), Image.Resampling.BICUBIC)) for channel in channels]
    expected = torch.tensor(np.stack(shrunk)).clamp(0, 255).view(2, 3, size, size)
    assert (resized(images, "clean", size) - expected).abs().max() < EXACT


def test_clean_is_clean_fid_s() -> None:
    """Against its own code, where it is installed."""
    resize = pytest.importorskip("cleanfid.resize")
    image = np.random.default_rng(0).integers(256, size=(32, 48, 3), dtype=np.uint8)
    expected = torch.tensor(resize.build_resizer("clean")(image)).permute(2, 0, 1)
    assert (resized(torch.tensor(image).permute(2, 0, 1)[None], "clean", 299) - expected).abs().max() < EXACT


@pytest.mark.parametrize("rule", ["tf1", "pytorch-fid", "clean"])
def test_the_right_size_is_left_alone(rule: str, pictures: Pictures) -> None:
    assert torch.equal(resized(pictures(1, 64), rule, 64), pictures(1, 64).float())
